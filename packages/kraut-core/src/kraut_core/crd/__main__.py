"""``python -m kraut_core.crd``: print the CustomResourceDefinitions, or write them to a folder, one file each.

::

    python -m kraut_core.crd | kubectl apply --server-side -f -
    python -m kraut_core.crd --write charts/kraut-crds/templates
    python -m kraut_core.crd --check charts/kraut-crds/templates     # exit code 1 when a file differs
"""

import argparse
import sys
from pathlib import Path

from kraut_core.crd.files import files


def differences(folder: Path) -> list[str]:
    """A sentence for each file in ``folder`` that is not what the models say."""
    wanted = files()
    found = {path.name: path.read_text() for path in sorted(folder.glob("*.kraut.dev.yaml"))}
    return [
        f"{folder / name} is not what the models say: run `make generate` and commit it"
        for name in sorted(wanted.keys() | found.keys())
        if wanted.get(name) != found.get(name)
    ]


def write(folder: Path) -> None:
    """Write every file into ``folder`` and remove those of kinds that are no more."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = files()
    for path in folder.glob("*.kraut.dev.yaml"):
        if path.name not in wanted:
            path.unlink()
    for name, content in wanted.items():
        (folder / name).write_text(content)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m kraut_core.crd", description="kraut's CustomResourceDefinitions")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--write", type=Path, metavar="FOLDER", help="write one file per kind")
    group.add_argument("--check", type=Path, metavar="FOLDER", help="exit with 1 when a file differs")
    options = parser.parse_args(arguments)
    if options.write:
        write(options.write)
    elif options.check:
        found = differences(options.check)
        sys.stderr.write("".join(f"{line}\n" for line in found))
        return 1 if found else 0
    else:
        sys.stdout.write("---\n".join(files().values()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
