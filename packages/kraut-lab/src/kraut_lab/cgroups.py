"""The lab's own folders in the machine's cgroup hierarchies: made, listed, removed; nothing else there is touched.

systemd-nspawn makes folders below the cgroup it is started in, so each host is started in one of the lab's.
On cgroup v1 and hybrid machines that is needed in systemd's named hierarchy and in the unified one (cgroups(7)).
"""

from __future__ import annotations

import contextlib
from pathlib import Path

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


def processes(group: str) -> set[int]:
    """The pids of all processes below a group."""
    found: set[int] = set()
    for root in hierarchies():
        for file in (root / group).rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                found |= {int(line) for line in file.read_text().split()}
    return found


def left(group: str) -> list[Path]:
    """The folders of a group, deepest first."""
    found: list[Path] = []
    for root in hierarchies():
        top = root / group
        if top.is_dir():
            below = [entry for entry in top.rglob("*") if entry.is_dir()]
            found += sorted([top, *below], key=lambda path: len(path.parts), reverse=True)
    return found


def remove(group: str) -> bool:
    """Remove a group's folders; False when one is still in use by a process that is just ending."""
    for folder in left(group):
        with contextlib.suppress(OSError):
            folder.rmdir()
    return not left(group)
