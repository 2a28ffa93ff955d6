"""Many commands as one script, and its output cut back into one answer per command (pure)."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kraut_worker.facts.fact import Answer, Fact


def join_commands(facts: Sequence[Fact[Any]], marker: str) -> str:
    """One script that runs every command in a subshell of its own and frames both of its streams.

    ``marker`` must be unguessable, so that nothing a command prints (a package's name, a file's content) can pose as a frame.
    """
    return "\n".join([_FUNCTIONS.replace("@MARKER@", marker), *(_frame(fact) for fact in facts)])


_FUNCTIONS = """
begin() { printf '\\n%s begin %s\\n' @MARKER@ "$1"; printf '\\n%s begin %s\\n' @MARKER@ "$1" >&2; }
end() { printf '\\n%s end %s %d\\n' @MARKER@ "$1" "$2"; printf '\\n%s end %s %d\\n' @MARKER@ "$1" "$2" >&2; }
"""


def _frame(fact: Fact[Any]) -> str:
    return f"begin {fact.name}\n(\n{fact.command}\n)\nend {fact.name} $?"


def split_answers(stdout: bytes, stderr: bytes, marker: str) -> Mapping[str, Answer]:
    """The answers by the name of their fact; one whose frame is not closed (cut output) is missing."""
    errors = {name: text for name, _, text in _sections(stderr, marker)}
    return {name: Answer(status, text, errors.get(name, "")) for name, status, text in _sections(stdout, marker)}


def _sections(stream: bytes, marker: str) -> list[tuple[str, int, str]]:
    text = stream.decode("utf-8", "replace")
    mark = re.escape(marker)
    frame = re.compile(rf"^{mark} begin (\w+)\n(.*?)\n{mark} end \1 (\d+)$", re.DOTALL | re.MULTILINE)
    return [(found[1], int(found[3]), found[2]) for found in frame.finditer(text)]
