"""Crash points: every crossing of a process' boundary is logged under a stable name, and at one of them it is killed.

A crossing is named ``<scope>/<action>/<phase>``, for example ``assess_host.2/kube PUT hosts/_/status.1/before``. The scope
is an activity and how often it has run for the target, or ``operator``; the action counts within its scope; the phase is
``before`` (nothing was sent), ``after`` (the answer arrived, nothing was done with it), ``refused`` (an error arrived) or one
that belongs to the action. So the same course of events gives the same names, whatever the process ids and times.
"""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from kraut_core.errors import KrautError


@dataclass(frozen=True, slots=True)
class CrashPlan:
    """What a process does at its crossings; a JSON file, read again at each, so that one process serves many runs.

    ``target`` is the name of the object whose crossings count; ``log`` gets one JSON line for each, synced. At the crossing
    ``at`` (a name, or a pattern as in fnmatch(3)) the process is killed, once: the file ``marker`` says that it was done.
    """

    target: str
    log: str
    marker: str
    at: str = ""

    def write(self, file: Path) -> None:
        """Make it the plan of all processes that read ``file``."""
        partial = file.with_suffix(".new")
        partial.write_text(json.dumps(asdict(self)))
        partial.replace(file)


@dataclass(frozen=True, slots=True)
class Scope:
    """On whose behalf something crosses: the name of the object, and the scope's part of the crossing's name."""

    target: str
    name: str


SCOPE: ContextVar[Scope | None] = ContextVar("scope", default=None)
"""The scope of what runs now; crossings without one (start-up, schedules) do not count."""


class Point:
    """One call that crosses the boundary: it passes through several phases."""

    def __init__(self, plan: CrashPlan | None, name: str) -> None:
        self._plan = plan
        self._name = name

    def reach(self, phase: str) -> bool:
        """Log the crossing; True when the plan wants its fault here, which happens once in the life of the plan."""
        plan = self._plan
        if plan is None:
            return False
        name = f"{self._name}/{phase}"
        _append(Path(plan.log), {"name": name, "pid": os.getpid(), "time": time.time()})
        return fnmatchcase(name, plan.at) and _first_time(Path(plan.marker))

    def pass_or_die(self, phase: str) -> None:
        """Log the crossing, and end the process on the spot when the plan wants it here."""
        if self.reach(phase):
            os.kill(os.getpid(), signal.SIGKILL)


class Crossings:
    """The crossings of one process."""

    def __init__(self, plan_file: Path) -> None:
        self._plan_file = plan_file
        self._target = ""
        self._counts: Counter[str] = Counter()

    def scope(self, target: str, activity: str) -> Scope:
        """A new scope for an activity that begins: it knows how often the activity has begun for the target."""
        plan = self._read(target)
        return Scope(target, f"{activity}.{self._count(activity) if plan else 0}")

    @contextmanager
    def around(self, action: str, scope: Scope | None = None) -> Iterator[Point]:
        """Cross before and after what is done inside; ``scope`` is the current one unless given."""
        scope = scope or SCOPE.get()
        plan = self._read(scope.target) if scope else None
        name = f"{scope.name}/{action}" if scope else action
        point = Point(plan, f"{name}.{self._count(name)}" if plan else name)
        point.pass_or_die("before")
        try:
            yield point
        except KrautError:
            point.pass_or_die("refused")
            raise
        point.pass_or_die("after")

    def target(self) -> str:
        """The target of the plan, "" when there is none."""
        plan = self._load()
        return plan.target if plan else ""

    def _count(self, name: str) -> int:
        self._counts[name] += 1
        return self._counts[name]

    def _read(self, target: str) -> CrashPlan | None:
        plan = self._load()
        if plan is None or plan.target != target:
            return None
        if plan.target != self._target:
            self._target, self._counts = plan.target, Counter()
        return plan

    def _load(self) -> CrashPlan | None:
        try:
            return CrashPlan(**json.loads(self._plan_file.read_text()))
        except FileNotFoundError:
            return None


def _append(file: Path, entry: dict[str, object]) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, json.dumps(entry).encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _first_time(marker: Path) -> bool:
    try:
        descriptor = os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    os.fsync(descriptor)
    os.close(descriptor)
    return True
