"""``python -m kraut_lab``: ``kraut lab`` without kraut-cli."""

from __future__ import annotations

import sys

import click

from kraut_core.errors import KrautError
from kraut_lab.command import lab


def main() -> None:
    """Run the command line; an error is one sentence and exit code 1."""
    try:
        lab(prog_name="kraut lab")
    except (KrautError, OSError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
