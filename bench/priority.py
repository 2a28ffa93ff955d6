"""Real-time priority (sched(7)) for a second or two, so that what else runs on the machine does not make a server and its load wait."""

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PRIORITY = 10


@contextmanager
def preferred(pid: int) -> Iterator[bool]:
    """Let the process and this thread, whose children inherit it, go first. Tells whether that was allowed."""
    done = False
    try:
        for thread in (0, *_threads(pid)):
            done = _schedule(thread, os.SCHED_FIFO, _PRIORITY)
        yield done
    finally:
        for thread in (0, *_threads(pid)):
            _schedule(thread, os.SCHED_OTHER, 0)


def _threads(pid: int) -> list[int]:
    return [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]


def _schedule(thread: int, policy: int, priority: int) -> bool:
    # A thread may have ended, and only root may do this.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.sched_setscheduler(thread, policy, os.sched_param(priority))
        return True
    return False
