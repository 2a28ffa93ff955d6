"""Exit codes, and how an error becomes one.

====  =======================================================================
code  meaning
====  =======================================================================
0     done
1     error
2     usage: the command line itself is wrong (click's own code for it)
3     not ready, or timed out waiting for it
4     refused by an admission policy, an admission webhook or a quota
====  =======================================================================
"""

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

import click

from kraut_cli.formats.escape import escape
from kraut_core.errors import ApiServerError, ForbiddenError, KrautError, TransientError

ERROR: Final = 1
NOT_READY: Final = 3
BLOCKED: Final = 4

DEBUG: Final = "kraut_cli.debug"
"""Key in ``click.Context.meta``: whether ``--debug`` was given."""

_REQUEST: Final = re.compile(r"(?P<request>[A-Z]+ /\S*): (?:HTTP (?P<status>\d+): )?(?P<said>.*)", re.DOTALL)

_DENIED_BY_POLICY: Final = re.compile(r"ValidatingAdmissionPolicy|admission webhook .* denied|exceeded quota")
"""How the API server says that not RBAC but a policy of the cluster refused an object."""


class NotReadyError(TransientError):
    """What was asked for is not so (yet), or was not so before the time was over."""

    default_reason = "NotReady"


class CommandError(click.ClickException):
    """A failure that ends the program: one sentence on stderr and exit code 1."""

    exit_code = ERROR
    debug = False
    """Whether ``--debug`` was given."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Write it to stderr, with the traceback of its cause in front when ``--debug`` was given."""
        if self.debug and self.__cause__ is not None:
            click.echo("".join(traceback.format_exception(self.__cause__)), err=True, nl=False)
        click.echo(f"error: {escape(self.message)}", file=file, err=file is None)


class CommandNotReadyError(CommandError):
    """Exit code 3."""

    exit_code = NOT_READY


class CommandBlockedError(CommandError):
    """Exit code 4: a policy of the cluster refused it, not RBAC."""

    exit_code = BLOCKED


def failure_of(error: KrautError) -> CommandError:
    """The error as the end of the program."""
    message = sentence_of(error)
    if isinstance(error, NotReadyError):
        return CommandNotReadyError(message)
    if isinstance(error, ForbiddenError) and _DENIED_BY_POLICY.search(message):
        return CommandBlockedError(message)
    return CommandError(message)


def sentence_of(error: KrautError) -> str:
    """What a person reads: the API server's words without the request, and what to do where that can be said."""
    request, status, said = _of_api_server(str(error))
    if status == "404" and "could not find the requested resource" in said:
        return f"{said} ({request}): are kraut's CRDs installed in this cluster, and is this the right --context?"
    if status == "409" and "conflict" in said.lower():
        return f"{said}: change these fields where they are managed, or let that manager give them up"
    if isinstance(error, ApiServerError) and not status:
        return f"{said}; check --kubeconfig and --context, and that the API server runs"
    return said


def _of_api_server(text: str) -> tuple[str, str, str]:
    match = _REQUEST.fullmatch(text)
    return (match["request"], match["status"] or "", match["said"]) if match else ("", "", text)


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn whatever is raised inside into a CommandError; click's own exceptions pass.

    A traceback is no answer to a person, and a defect must not look like their mistake.
    """
    try:
        yield
    except (click.ClickException, click.Abort, click.exceptions.Exit):
        raise
    except KrautError as error:
        raise failure_of(error) from error
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise CommandError(_of_system(error)) from error
    except Exception as error:
        raise CommandError(
            f"kraut met something it did not expect: {type(error).__name__}: {error}. "
            "This is a defect of kraut; run the command again with --debug and report what it prints."
        ) from error


def _of_system(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"
