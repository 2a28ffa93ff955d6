"""Remove everything that a lab made, whatever state it is in."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from kraut_lab.errors import LabError
from kraut_lab.processes import find_marked, kill_all


def tear_down(folder: Path) -> None:
    """End every process of the lab in ``folder`` and remove the folder. Nothing left to do is fine.

    Raises:
        LabError: something could not be removed; calling again goes on.
    """
    _kill_processes(folder)
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        shutil.rmtree(folder)


def _kill_processes(folder: Path) -> None:
    # Again until none is left: a process may start another between the listing and its end.
    while processes := find_marked(folder):
        if stubborn := kill_all(processes):
            pids = ", ".join(str(process.pid) for process in stubborn)
            raise LabError(f"Processes {pids} of the lab in {folder} do not end; look at them and call down again.")


if __name__ == "__main__":
    tear_down(Path(sys.argv[1]))
