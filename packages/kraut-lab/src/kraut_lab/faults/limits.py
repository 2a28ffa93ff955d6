"""Processes that run out of what the kernel gives them: descriptors, memory."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kraut_lab import cgroups
from kraut_lab.faults.signals import HasProcess, running_process
from kraut_lab.waiting import wait_until

_STANDARD_STREAMS = 3
"""The limit is one more than the greatest descriptor that may be opened, and 0, 1 and 2 are always open."""


@contextmanager
def no_descriptors_left(target: HasProcess) -> Iterator[None]:
    """The process can open nothing more: each attempt fails with EMFILE (RLIMIT_NOFILE, prlimit(2)).

    What is open stays open, but nothing that is closed is opened again. The old limit comes back at the end unless the
    process has ended.
    """
    process = running_process(target)
    before = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (_STANDARD_STREAMS, before[1]))
    try:
        yield
    finally:
        if process.is_alive():
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, before)


def descriptors(target: HasProcess) -> int:
    """How many descriptors the process has open."""
    return sum(1 for _ in Path(f"/proc/{running_process(target).pid}/fd").iterdir())


@dataclass(frozen=True)
class MemoryCap:
    """A memory cgroup with one process in it; sizes are bytes (cgroup v1: memory.txt, v2: cgroup-v2.txt of the kernel)."""

    folder: Path

    @property
    def used(self) -> int:
        """What the process has charged since the cap was set."""
        return int(_either(self.folder, "memory.current", "memory.usage_in_bytes").read_text())

    @property
    def kills(self) -> int:
        """How often the kernel killed for want of memory."""
        counters = _either(self.folder, "memory.events", "memory.oom_control").read_text()
        return next(int(line.split()[1]) for line in counters.splitlines() if line.startswith("oom_kill "))

    def limit(self, size: int) -> None:
        """Set the cap; the kernel kills what cannot be shrunk to it when it next asks for memory."""
        _either(self.folder, "memory.max", "memory.limit_in_bytes").write_text(str(size))


@contextmanager
def memory_cap(target: HasProcess, group: str, *, more: int) -> Iterator[MemoryCap]:
    """Cap what the process may take on top of what it has now; what it has stays charged elsewhere.

    Args:
        group: a cgroup of the lab's own, e.g. ``f"{lab.names.cgroup}/memory"``.
        more: bytes.
    """
    process = running_process(target)
    folder = cgroups.create_memory(group)
    home = cgroups.memory_of(process.pid)
    cap = MemoryCap(folder)
    cap.limit(more)
    try:
        (folder / "cgroup.procs").write_text(str(process.pid))
        yield cap
    finally:
        for pid in (folder / "cgroup.procs").read_text().split():
            (home / "cgroup.procs").write_text(pid)
        wait_until(lambda: cgroups.is_removed(folder), f"{folder} to be removed")


def _either(folder: Path, unified: str, legacy: str) -> Path:
    return folder / unified if (folder / unified).exists() else folder / legacy
