"""Room for the inotify instances of many hosts: each host's systemd, journald and dbus take about eight of root's.

The kernel allows root 128 by default (inotify(7), max_user_instances), which sixteen hosts use up; the seventeenth's systemd
then stops in the middle of its boot. Containers share their machine's count, so nothing inside of them can help.
"""

from __future__ import annotations

from pathlib import Path

from kraut_lab.errors import LabError
from kraut_lab.progress import Progress, silent

ENOUGH = 8192
"""For several labs with as many hosts as a lab may have; an instance that nobody makes costs nothing."""

_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")


def allow_inotify_instances(progress: Progress = silent, *, limit: Path = _LIMIT) -> None:
    """Raise the machine's limit to `ENOUGH` until its next boot, unless it is as high.

    Raises:
        LabError: it is lower and this process may not raise it.
    """
    found = int(limit.read_text())
    if found >= ENOUGH:
        return
    progress(f"raising fs.inotify.max_user_instances from {found} to {ENOUGH}, until the machine boots again")
    try:
        limit.write_text(f"{ENOUGH}\n")
    except OSError as error:
        raise LabError(
            f"Hosts need more inotify instances than this machine allows root: fs.inotify.max_user_instances is {found} and "
            f"cannot be raised here ({error.strerror}). Run `sysctl fs.inotify.max_user_instances={ENOUGH}` on the machine."
        ) from error
