"""Entry point of ``kraut`` and ``kubectl-kraut``: one program under two names."""

import sys
from pathlib import PurePath

from kraut_cli.root import root


def program_name(argv0: str) -> str:
    """The name a person typed, for help and usage: ``kubectl kraut`` when kubectl started it as its plugin."""
    return "kubectl kraut" if PurePath(argv0).name.startswith("kubectl-") else "kraut"


def main() -> None:
    """Run the command line in ``sys.argv`` and exit with its code."""
    root(prog_name=program_name(sys.argv[0]))


if __name__ == "__main__":
    main()
