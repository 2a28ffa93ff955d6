"""Remove everything that a lab made, whatever state it is in.

It looks at the machine and not at records: processes by their marker, cgroup and network namespace, the rest by
names that follow from the lab's folder.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from kraut_lab import cgroups
from kraut_lab.errors import LabError
from kraut_lab.files import file_lock
from kraut_lab.hosts.processtable import processes_in_namespace
from kraut_lab.names import LabNames
from kraut_lab.network import LabNetwork
from kraut_lab.network.network import namespace_inode
from kraut_lab.processes import ProcessId, find_marked, kill_all
from kraut_lab.programs import run
from kraut_lab.waiting import wait_until


def tear_down(folder: Path, *, on_wait: Callable[[], None] | None = None) -> None:
    """End every process of the lab in ``folder``, remove its network, cgroups, mounts and the folder.

    Nothing left to do is fine. ``on_wait`` is called when another process works on the lab and is waited for.

    Raises:
        LabError: something could not be removed; calling again goes on.
    """
    names = LabNames(folder.absolute())
    with file_lock(names.lock, on_wait=on_wait):
        _remove_all(names)
        names.lock.unlink()


def _remove_all(names: LabNames) -> None:
    folder = names.folder
    _kill_processes(names)
    if os.geteuid() == 0:
        wait_until(lambda: cgroups.remove(names.cgroup), f"the cgroup folders {names.cgroup} to be free", timeout=30)
        LabNetwork(names).remove()
        for mount_point in _mounts_below(folder):
            run(["umount", "--lazy", str(mount_point)], check=False)
    if folder.exists():
        _remove_folder(folder)
    if left := find_left(folder):
        raise LabError(f"These parts of the lab in {folder} could not be removed: {', '.join(left)}. Call down again.")


def find_left(folder: Path) -> list[str]:
    """What of a lab is on the machine: its processes, interfaces, namespaces, cgroup folders, mounts and its folder."""
    names = LabNames(folder.absolute())
    found = [f"process {process.pid}" for process in _processes(names)]
    found += LabNetwork(names).left()
    found += [str(path) for path in cgroups.left(names.cgroup) if path.name == names.cgroup]
    found += [str(path) for path in _mounts_below(names.folder)]
    return [*found, str(folder)] if folder.exists() else found


def _kill_processes(names: LabNames) -> None:
    # Again until none is left: a process may start another between the listing and its end.
    while processes := _processes(names):
        if stubborn := kill_all(processes):
            pids = ", ".join(str(process.pid) for process in stubborn)
            raise LabError(
                f"Processes {pids} of the lab in {names.folder} do not end; look at them and call down again."
            )


def _processes(names: LabNames) -> list[ProcessId]:
    pids = cgroups.processes(names.cgroup)
    for namespace in LabNetwork(names).namespaces():
        inode = namespace_inode(namespace)
        pids |= set(processes_in_namespace(inode)) if inode else set()
    found = {process for pid in pids - {os.getpid()} if (process := ProcessId.of(pid))}
    return sorted(found | set(find_marked(names.folder)), key=lambda process: process.pid)


def _mounts_below(folder: Path) -> list[Path]:
    points = [Path(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted((point for point in points if point.is_relative_to(folder)), reverse=True)


def _remove_folder(folder: Path) -> None:
    # Renamed first: a folder that still has its name is a whole lab, never half of one.
    doomed = folder.with_name(f".{folder.name}.removed")
    shutil.rmtree(doomed, ignore_errors=True)
    folder.rename(doomed)
    shutil.rmtree(doomed)


if __name__ == "__main__":
    tear_down(Path(sys.argv[1]))
