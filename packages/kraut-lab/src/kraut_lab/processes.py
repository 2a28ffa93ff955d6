"""Processes of a lab: started in their own session, known by (pid, start time), found again after any crash.

Every process carries the variable `MARKER` with its lab's folder, so that the process table itself is the
record that a SIGKILL in the wrong moment cannot lose. Signals go through a pidfd (pidfd_open(2)) taken
before the identity is checked: a recycled pid is never hit.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MARKER = "KRAUTLAB_FOLDER"

_RESTORED_SIGNALS = (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


@dataclass(frozen=True)
class ProcessId:
    """A process of this boot: the pid and its start time in clock ticks since boot (proc(5), field 22)."""

    pid: int
    start_time: int

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """The identity of a process that runs now; None when there is none or it has ended."""
        start_time = _start_time(pid)
        identity = None if start_time is None else cls(pid, start_time)
        return identity if identity and identity.is_alive() else None

    def is_alive(self) -> bool:
        """Whether this very process still runs, if only one of its threads."""
        return not self.wait(0)

    def send(self, number: int) -> bool:
        """Send a signal; False when the process is already gone."""
        with _pidfd(self) as descriptor:
            if descriptor is None:
                return False
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)
                return True
        return False

    def wait(self, timeout: float) -> bool:
        """Wait for the end of the process; False when it still runs after ``timeout`` seconds."""
        with _pidfd(self) as descriptor:
            ended = descriptor is None or bool(select.select([descriptor], [], [], timeout)[0])
        if ended:
            _reap(self.pid)
        return ended


@contextlib.contextmanager
def _pidfd(process: ProcessId) -> Iterator[int | None]:
    """A pidfd of this very process; None when it is gone. A pidfd turns readable when the last thread has ended and so
    every port is free again, while proc(5) calls the process a zombie as soon as its first thread has."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError as error:
        # ENOENT, of older kernels EINVAL: the number belongs to a thread of another process by now.
        if error.errno not in (errno.ESRCH, errno.ENOENT, errno.EINVAL):
            raise
        yield None
        return
    try:
        yield descriptor if _start_time(process.pid) == process.start_time else None
    finally:
        os.close(descriptor)


def _start_time(pid: int) -> int | None:
    fields = _stat_fields(pid)
    return int(fields[19]) if fields else None


def _stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the state on; None when there is no such process."""
    try:
        # The command name in parentheses may hold anything, blanks and parentheses included.
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def spawn(argv: Sequence[str], *, folder: Path, cwd: Path, env: Mapping[str, str], log: Path) -> ProcessId:
    """Start a detached process of the lab whose state is in ``folder``.

    It leads a session of its own, reads nothing and appends its output to ``log``. posix_spawn(3) and not
    fork(2): callers such as a test session with gRPC have threads.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    # posix_spawn has no portable chdir: a shell does it and then becomes the program.
    shell = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(cwd), *argv]
    pid = os.posix_spawn(
        shell[0],
        shell,
        {**env, MARKER: str(folder)},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=_RESTORED_SIGNALS,
    )
    # A child that has already ended keeps its pid until it is waited for.
    return ProcessId(pid, _start_time(pid) or 0)


def find_marked(folder: Path) -> list[ProcessId]:
    """All running processes that carry the marker of the lab in ``folder``, or of a folder below; the caller excepted."""
    wanted = f"{MARKER}={folder}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        identity = ProcessId.of(int(entry.name))
        if identity is not None and _is_marked(entry, wanted) and identity.is_alive():
            found.append(identity)
    return found


def _is_marked(entry: Path, wanted: bytes) -> bool:
    return any(line == wanted or line.startswith(wanted + b"/") for line in _environment(entry))


def _environment(entry: Path) -> list[bytes]:
    try:
        return (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def children(pid: int) -> list[ProcessId]:
    """The running children of a process."""
    found = []
    for entry in Path("/proc").iterdir():
        fields = _stat_fields(int(entry.name)) if entry.name.isdigit() else None
        if fields and int(fields[1]) == pid and (child := ProcessId.of(int(entry.name))):
            found.append(child)
    return found


def kill_all(processes: Iterable[ProcessId], *, grace: float = 0.0, timeout: float = 30.0) -> list[ProcessId]:
    """End processes: SIGTERM with ``grace`` seconds when that is positive, then SIGKILL.

    Returns those still there after ``timeout`` seconds more (a process in uninterruptible sleep).
    """
    left = list(processes)
    if grace > 0:
        for process in left:
            process.send(signal.SIGTERM)
            process.send(signal.SIGCONT)
        left = _wait_all(left, grace)
    for process in left:
        process.send(signal.SIGKILL)
    return _wait_all(left, timeout)


def _wait_all(processes: list[ProcessId], timeout: float) -> list[ProcessId]:
    deadline = time.monotonic() + timeout
    return [process for process in processes if not process.wait(max(0.0, deadline - time.monotonic()))]
