"""Files that are generated: written, or with ``--check`` compared."""

import sys
from pathlib import Path


def write_or_compare(file: Path, text: str) -> int:
    """Write ``file``, or compare it where the command line says ``--check``. Returns the exit code."""
    if "--check" not in sys.argv[1:]:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return 0
    if file.is_file() and file.read_text() == text:
        return 0
    sys.stderr.write(f"{file} is not what it is generated from: run `make generate` and commit it\n")
    return 1
