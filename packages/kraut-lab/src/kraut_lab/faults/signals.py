"""Processes that stand still for a while, as on a machine that swaps, or a virtual one that is being moved."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from kraut_lab.errors import LabError
from kraut_lab.processes import ProcessId


class HasProcess(Protocol):
    """A `Daemon`, a `Component` or anything else with a process that may be gone."""

    @property
    def process(self) -> ProcessId | None:
        """The running process; None when there is none."""
        ...


@contextmanager
def stopped(target: HasProcess) -> Iterator[ProcessId]:
    """Stop the target's process (SIGSTOP) and let that very process go on (SIGCONT) at the end, whatever happened.

    Raises:
        LabError: it does not run.
    """
    process = running_process(target)
    process.send(signal.SIGSTOP)
    try:
        yield process
    finally:
        process.send(signal.SIGCONT)


def running_process(target: HasProcess) -> ProcessId:
    """The process of the target. Raises LabError when it does not run."""
    process = target.process
    if process is None:
        raise LabError(
            "A fault needs a running process, and there is none: start it, or wait until it is ready, first."
        )
    return process
