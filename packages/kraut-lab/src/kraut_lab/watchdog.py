"""Tears a lab down when the process that wanted it dies, however it dies."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from kraut_lab.processes import ProcessId, kill_all

# `read` ends when the owner is gone. A shell waits, not a Python interpreter: it costs a tenth of the memory for as
# long as the tests run.
_SCRIPT = 'read -r _; exec "$@"'


class Watchdog:
    """A shell that waits for the death of this process, then runs `kraut_lab.teardown` for a folder.

    It notices through a pipe whose other end only this process holds, so that SIGKILL, a crash and a normal exit
    look alike. It lives in a session of its own: signals to the owner's process group do not reach it.
    """

    def __init__(self, folder: Path) -> None:
        """Start watching."""
        reader, self._writer = os.pipe()
        argv = ["/bin/sh", "-c", _SCRIPT, "watchdog", sys.executable, "-m", "kraut_lab.teardown", str(folder)]
        try:
            pid = os.posix_spawn(
                argv[0], argv, dict(os.environ), file_actions=[(os.POSIX_SPAWN_DUP2, reader, 0)], setsid=True
            )
        finally:
            os.close(reader)
        self.process = ProcessId.of(pid)

    def release(self) -> None:
        """Stop watching: the owner has torn the lab down itself."""
        if self.process:
            kill_all([self.process])
        os.close(self._writer)
