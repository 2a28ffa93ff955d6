"""Golden runs, then one run for each boundary, side by side on lanes."""

from __future__ import annotations

import itertools
import queue
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Self

from kraut_lab.crashes.boundaries import Boundary, any_such, boundaries
from kraut_lab.crashes.course import Run, introduce, run_course
from kraut_lab.crashes.finalstate import differences
from kraut_lab.crashes.lane import Lane
from kraut_lab.crashes.packages import publish
from kraut_lab.crashes.right import mistakes
from kraut_lab.errors import LabError
from kraut_lab.lab import Lab, in_parallel
from kraut_lab.progress import Progress, silent

TRIES: Final = 3
"""Of a boundary that not all golden runs had: how often a host is asked while it reboots is a matter of milliseconds.

After the first try the next such crossing will do, the second connection instead of the third.
"""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one boundary."""

    boundary: Boundary
    run: Run
    problems: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """``same``: the final state is the golden one; ``not crossed`` this time; or ``different``."""
        if self.problems:
            return "different"
        return "same" if self.run.reached else "not crossed"


@dataclass(frozen=True, slots=True)
class Golden:
    """The runs without a fault, which all end in the same state."""

    state: dict[str, Any]
    found: list[Boundary]
    seconds: list[float]


class Sweep:
    """Lanes on all hosts of a lab. Use as a context manager."""

    def __init__(self, lab: Lab, *, series: str, split: bool = False, progress: Progress = silent) -> None:
        """Args: series: a short name, part of the lanes' names. split: see `Lane`."""
        self._lab = lab
        self._series = series
        self._split = split
        self._progress = progress
        self._numbers = itertools.count(1)
        self._lanes: queue.SimpleQueue[Lane] = queue.SimpleQueue()
        self._made: list[Lane] = []

    def __enter__(self) -> Self:
        publish(self._lab.apt_repository)
        in_parallel([lambda host=host: introduce(host) for host in self._lab.hosts])  # type: ignore[misc]
        in_parallel([lambda host=host: self._open(host) for host in self._lab.hosts])  # type: ignore[misc]
        return self

    def __exit__(self, *_: object) -> None:
        in_parallel([lane.stop for lane in self._made])

    def record(self) -> Golden:
        """A golden run on every lane at once.

        Raises:
            LabError: one did not come to its end, ended otherwise than is right, or they do not end alike.
        """
        runs = list(self._on_lanes(lambda lane, _: self._run(lane), range(len(self._made))))
        for run in runs:
            if run.trouble:
                raise LabError(f"A golden run should come to its end. {run.trouble}")
            if found := mistakes(run.state):
                raise LabError(
                    f"A golden run should end as is right, it is the measure of all others: {'; '.join(found)}"
                )
            if found := differences(runs[0].state, run.state):
                raise LabError(f"Golden runs should end alike, they differ: {'; '.join(found)}")
        return Golden(runs[0].state, boundaries([run.crossed for run in runs]), [run.seconds for run in runs])

    def run(self, chosen: Sequence[Boundary], golden: Golden) -> list[Result]:
        """A run for each boundary, in order; results as ``chosen``."""
        done = itertools.count(1)

        def one(lane: Lane, boundary: Boundary) -> Result:
            result = self._until_reached(lane, boundary, golden)
            shown = f"{result.verdict} after {result.run.seconds:.0f} s"
            self._progress(f"{self._series} {next(done)}/{len(chosen)} {boundary.name}: {shown}")
            return result

        return list(self._on_lanes(one, chosen))

    def _on_lanes(self, call: Callable[[Lane, Any], Any], items: Iterable[Any]) -> Iterable[Any]:
        def on_free_lane(item: Any) -> Any:
            lane = self._lanes.get()
            try:
                return call(lane, item)
            finally:
                self._lanes.put(lane)

        with ThreadPoolExecutor(max_workers=len(self._lab.hosts)) as pool:
            return list(pool.map(on_free_lane, items))

    def _until_reached(self, lane: Lane, boundary: Boundary, golden: Golden) -> Result:
        for at in [boundary.name, *[any_such(boundary.name)] * (TRIES - 1)]:
            run = self._run(lane, at)
            problems = (run.trouble,) if run.trouble else tuple(differences(golden.state, run.state))
            result = Result(boundary, run, problems)
            if result.verdict != "not crossed":
                break
        return result

    def _run(self, lane: Lane, at: str = "") -> Run:
        run = run_course(lane, f"{lane.name}-{next(self._numbers)}", at)
        if run.trouble:
            lane.renew()
        return run

    def _open(self, host: Any) -> None:
        lane = Lane(self._lab, host, f"{self._series}-{host.name}", split=self._split)
        self._made.append(lane)
        lane.start()
        self._lanes.put(lane)
