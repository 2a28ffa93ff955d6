"""Files that a kube-apiserver watches are written in place, and never lost."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def one_writer(path: Path) -> Iterator[None]:
    """Wait until no other command of kraut's changes ``path``, and keep them waiting: for whoever reads, changes and writes it.

    Locked is its folder (flock): a file that does not exist yet cannot be, and an empty one would be read by a kube-apiserver.
    Raises OSError.
    """
    folder = os.open(path.absolute().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def write_in_place(path: Path, text: str) -> None:
    """Replace the content of a file and keep the file: its inode, owner and mode; a new one gets mode 0600.

    Where a single file is mounted into a static pod, another inode would never be seen there. The new text is first
    written whole beside it (``.<name>.kraut-...``), which is removed when the file has it: a full disk leaves the old content,
    a crash in between leaves the new one there. kube-apiserver keeps what it has when it reads half a document, and reads again.
    Raises OSError.
    """
    # A name that nobody knows beforehand, made with O_EXCL: no link that lies there leads the text elsewhere.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.kraut-", dir=path.absolute().parent)
    beside = Path(name)
    try:
        _write(descriptor, text)
        if not path.exists():
            beside.replace(path)
            return
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    _write(os.open(path, os.O_WRONLY), text)
    beside.unlink()


def _write(descriptor: int, text: str) -> None:
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
