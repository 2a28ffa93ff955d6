"""One long-running program of a lab: started, recorded, watched, signalled, with its log."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from kraut_lab.errors import LabError, PartFailedError, WaitTimeoutError
from kraut_lab.files import read_json, write_json
from kraut_lab.owner import boot_id
from kraut_lab.processes import ProcessId, kill_all, spawn
from kraut_lab.waiting import wait_for

READY_SECONDS = 180.0
"""Patience for a part to become ready: one that has ended is noticed at once, so only a busy machine needs it."""

_LOG_TAIL_LINES = 15


class Daemon:
    """A program with a name, a record ``processes/<name>.json`` and a log ``logs/<name>.log`` in the lab's folder."""

    def __init__(self, folder: Path, name: str) -> None:
        """Args: folder: the lab's folder. name: unique in it, e.g. ``kube-apiserver``."""
        self.folder = folder
        self.name = name
        self.log = folder / "logs" / f"{name}.log"
        self._record = folder / "processes" / f"{name}.json"

    @property
    def process(self) -> ProcessId | None:
        """The running process, also when an earlier run of the lab started it; None when there is none."""
        record = read_json(self._record)
        if record is None or record.get("bootId") != boot_id():
            return None
        process = ProcessId(int(record["pid"]), int(record["start_time"]))
        return process if process.is_alive() else None

    @property
    def pid(self) -> int | None:
        """Its process id, None when it does not run."""
        return self.process.pid if self.process else None

    def is_running(self) -> bool:
        """Whether the program runs (a stopped one, SIGSTOP, does)."""
        return self.process is not None

    def start(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> ProcessId:
        """Start the program unless it runs already, with exactly the environment ``env``."""
        if running := self.process:
            return running
        process = spawn(argv, folder=self.folder, cwd=self.folder, env=env or {}, log=self.log)
        write_json(self._record, {**asdict(process), "bootId": boot_id(), "argv": list(argv)})
        return process

    def send(self, number: int) -> bool:
        """Send a signal such as ``signal.SIGSTOP``; False when the program does not run."""
        process = self.process
        return process is not None and process.send(number)

    def kill(self, number: int = signal.SIGKILL, *, timeout: float = 30.0) -> None:
        """Send a signal that ends the program, and wait for its end.

        Raises:
            LabError: it still runs ``timeout`` seconds later.
        """
        process = self.process
        if process is None:
            return
        process.send(number)
        if not process.wait(timeout):
            raise LabError(f"{self.name} (pid {process.pid}) still runs {timeout:.0f} s after signal {number}.")

    def stop(self, *, grace: float = 10.0) -> None:
        """End the program: SIGTERM, after ``grace`` seconds SIGKILL."""
        if process := self.process:
            kill_all([process], grace=grace)

    def wait_ready(self, probe: Callable[[], bool], what: str, *, timeout: float = READY_SECONDS) -> None:
        """Wait until ``probe`` answers True.

        Raises:
            PartFailedError: the program ended first, or is not ready in time; the message carries the end of its log.
        """

        def check() -> bool | None:
            if probe():
                return True
            if not self.is_running():
                raise PartFailedError(f"{self.name} ended before {what}. The end of {self.log}:\n{self.log_tail()}")
            return None

        try:
            wait_for(check, f"{self.name} to be ready ({what})", timeout=timeout)
        except WaitTimeoutError as error:
            raise PartFailedError(f"{error} The end of {self.log}:\n{self.log_tail()}") from error

    def log_tail(self, lines: int = _LOG_TAIL_LINES) -> str:
        """The last lines of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
