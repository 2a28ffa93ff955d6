"""Processes of hosts, as the machine sees them."""

from __future__ import annotations

from pathlib import Path


def processes_in_namespace(inode: int) -> list[int]:
    """The pids of the processes whose network namespace has this inode."""
    wanted = f"net:[{inode}]"
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _net(entry) == wanted]


def is_init(pid: int) -> bool:
    """Whether a process is PID 1 of a namespace below the machine's (proc(5), NSpid)."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    ids = next((line.split()[1:] for line in lines if line.startswith("NSpid:")), [])
    return len(ids) > 1 and ids[-1] == "1"


def _net(entry: Path) -> str:
    try:
        return str((entry / "ns" / "net").readlink())
    except OSError:
        return ""
