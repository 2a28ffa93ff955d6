"""What a person sees on stderr while something happens, and what they are asked.

Progress is a spinner on a terminal and plain lines elsewhere; rich honours NO_COLOR (https://no-color.org) and TERM=dumb.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from kraut_cli.failures import CommandError
from kraut_cli.formats.escape import escape

if TYPE_CHECKING:
    from rich.status import Status


def note(text: str) -> None:
    """A line for the person, on stderr."""
    click.echo(escape(text), err=True)


class Progress:
    """The present step of something that takes long."""

    def __init__(self, status: "Status | None" = None) -> None:
        self._status = status
        self._said = ""

    def update(self, text: str) -> None:
        """Show ``text``; off a terminal a line is written when it differs from the last one."""
        if text == self._said:
            return
        self._said = text
        if self._status is None:
            note(text)
        else:
            from rich.text import Text  # noqa: PLC0415 - rich costs 80 ms, which a pipe need not pay

            self._status.update(Text(escape(text)))


@contextmanager
def progress(text: str) -> Iterator[Progress]:
    """Show ``text`` while the block runs, and what it says through ``update``."""
    if not sys.stderr.isatty():
        plain = Progress()
        plain.update(text)
        yield plain
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    with Console(stderr=True).status(Text(text)) as status:
        yield Progress(status)


def is_interactive(*, no_input: bool) -> bool:
    """Whether there is somebody to ask."""
    return not no_input and sys.stdin.isatty()


def confirm(what: str, hosts: Sequence[str], *, yes: bool, interactive: bool) -> None:
    """Ask before something that disrupts hosts, naming each. Raises CommandError when it is not agreed to.

    Nobody to ask is a no: only ``--yes`` agrees for a script.
    """
    if yes:
        return
    named = ", ".join(hosts)
    if not interactive:
        raise CommandError(f"{what} ({named}): this needs a yes, and there is nobody to ask; add --yes to agree")
    if not click.confirm(f"{what}: {named}. Go on?", err=True):
        raise CommandError("nothing was changed: it was not agreed to")
