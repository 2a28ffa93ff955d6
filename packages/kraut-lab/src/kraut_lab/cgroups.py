"""The lab's own folders in the machine's cgroup hierarchies: made, listed, removed; nothing else there is touched.

systemd-nspawn makes folders below the cgroup it is started in, so each host is started in one of the lab's.
On cgroup v1 and hybrid machines that is needed in systemd's named hierarchy and in the unified one (cgroups(7)).
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from kraut_lab.errors import LabError

_ROOT = Path("/sys/fs/cgroup")


def hierarchies() -> list[Path]:
    """The roots of the hierarchies in which systemd places a container."""
    if (_ROOT / "cgroup.controllers").exists():
        return [_ROOT]
    return [root for root in (_ROOT / "systemd", _ROOT / "unified") if (root / "cgroup.procs").exists()]


def create(group: str) -> list[Path]:
    """Make a folder in each hierarchy, e.g. ``kraut-lab-3fa2c1/host-1``, and return them."""
    folders = [root / group for root in hierarchies()]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    return folders


def _places() -> list[Path]:
    """Every hierarchy in which the lab may have folders."""
    return list(dict.fromkeys([*hierarchies(), _memory_root()]))


def _memory_root() -> Path:
    return _ROOT if (_ROOT / "cgroup.controllers").exists() else _ROOT / "memory"


def create_memory(group: str) -> Path:
    """Make a folder whose processes' memory is counted and can be capped, e.g. ``kraut-lab-3fa2c1/memory``.

    Raises:
        LabError: the machine has no memory controller.
    """
    root = _memory_root()
    if not root.is_dir():
        raise LabError(f"A memory cap needs the memory controller at {root}, and it is not there.")
    folder = root / group
    folder.mkdir(parents=True, exist_ok=True)
    if root == _ROOT:
        (folder.parent / "cgroup.subtree_control").write_text("+memory")
    return folder


def memory_of(pid: int) -> Path:
    """The folder in which the memory of a process is counted now."""
    wanted = "" if _memory_root() == _ROOT else "memory"
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if wanted in controllers.split(","):
            return _memory_root() / path.lstrip("/")
    raise LabError(f"Process {pid} should be in a memory cgroup; /proc/{pid}/cgroup names none.")


def processes(group: str) -> set[int]:
    """The pids of all processes below a group."""
    found: set[int] = set()
    for root in _places():
        for folder in _folders(root / group):
            with contextlib.suppress(OSError):
                found |= {int(line) for line in (folder / "cgroup.procs").read_text().split()}
    return found


def left(group: str) -> list[Path]:
    """The folders of a group, deepest first."""
    found: list[Path] = []
    for root in _places():
        found += sorted(_folders(root / group), key=lambda path: len(path.parts), reverse=True)
    return found


def _folders(top: Path) -> list[Path]:
    """A folder and those below it, none when it is not there. Not by rglob, which fails when one goes meanwhile."""
    return [Path(folder) for folder, _, _ in os.walk(top)]


def remove(group: str) -> bool:
    """Remove a group's folders; False when one is still in use by a process that is just ending."""
    for folder in left(group):
        with contextlib.suppress(OSError):
            folder.rmdir()
    return not left(group)


def is_removed(folder: Path) -> bool:
    """Remove one folder; False while a process that is just ending is still in it."""
    with contextlib.suppress(OSError):
        folder.rmdir()
    return not folder.exists()
