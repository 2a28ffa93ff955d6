"""Files that a kube-apiserver watches are written in place, and never lost."""

import os
from pathlib import Path


def write_in_place(path: Path, text: str) -> None:
    """Replace the content of a file and keep the file: its inode, owner and mode; a new one gets mode 0600.

    Where a single file is mounted into a static pod, another inode would never be seen there. The new text is first
    written whole beside it (``.<name>.kraut``), which is removed when the file has it: a full disk leaves the old content,
    a crash in between leaves the new one there. kube-apiserver keeps what it has when it reads half a document, and reads again.
    Raises OSError.
    """
    beside = path.with_name(f".{path.name}.kraut")
    try:
        _write(beside, text)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    if not path.exists():
        beside.replace(path)
        return
    _write(path, text)
    beside.unlink()


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(text)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
