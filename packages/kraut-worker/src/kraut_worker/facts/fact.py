"""What a fact is: a command and a parser."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)

UNSUPPORTED_EXIT = 65
"""Exit status by which a command says that this operating system has not what it asks for (EX_DATAERR of sysexits(3))."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a fact's command said; text that is not UTF-8 is replaced, since a parser must not fail on a strange name."""

    exit_status: int
    stdout: str
    stderr: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of stdout that are not empty."""
        return tuple(line for line in self.stdout.splitlines() if line.strip())

    def pairs(self) -> Mapping[str, str]:
        """The ``key=value`` lines of stdout; the last of a key wins."""
        return dict(line.split("=", 1) for line in self.lines if "=" in line)


class FactProblem(Exception):  # noqa: N818 - a finding about a host, which becomes a FactError
    """A parser cannot tell the fact: ``reason`` is CamelCase, the message a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Fact(Generic[T_co]):
    """``command`` is POSIX sh, run as root in a subshell with the C locale; ``parse`` is pure and may raise FactProblem."""

    name: str
    command: str
    parse: Callable[[Answer], T_co]


def require_success(answer: Answer, what: str) -> None:
    """Raise FactProblem when the command failed, with the end of what it said."""
    if answer.exit_status != 0:
        said = " ".join((answer.stderr or answer.stdout).split())[-300:]
        raise FactProblem("CommandFailed", f"{what} failed with exit status {answer.exit_status}: {said}")
