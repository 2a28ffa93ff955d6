"""Progress on stderr: a spinner on a terminal, plain lines elsewhere; rich honours NO_COLOR and TERM=dumb."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import click
from rich.console import Console
from rich.text import Text

from kraut_lab.progress import Progress


@contextmanager
def show_progress() -> Iterator[Progress]:
    """Show what the lab says while the block runs."""
    if not sys.stderr.isatty():
        yield _plain()
        return
    with Console(stderr=True).status("") as status:
        yield lambda text: status.update(Text(text))


def _plain() -> Progress:
    lock = Lock()

    def say(text: str) -> None:
        with lock:
            click.echo(text, err=True)

    return say
