"""The boundaries that a run crossed, as the processes themselves logged them (pure, but for reading the log)."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

FAULTS = {"cut": "connection cut in mid output"}
"""What is done at boundaries of some phases; at all others the process is killed."""


@dataclass(frozen=True, slots=True, order=True)
class Boundary:
    """One crossing of the golden runs; ``steady`` when all of them had it."""

    name: str
    steady: bool = True

    @property
    def fault(self) -> str:
        """What is done there."""
        default = "operator killed" if self.name.startswith("operator/") else "worker killed"
        return FAULTS.get(self.name.rsplit("/", 1)[-1], default)


def crossed(log: Path) -> list[str]:
    """The names in a log, in the order of their crossing."""
    return [json.loads(line)["name"] for line in log.read_text().splitlines()] if log.exists() else []


def boundaries(runs: Sequence[Sequence[str]]) -> list[Boundary]:
    """All boundaries of several golden runs, in the order of the first run that had them."""
    ordered = list(dict.fromkeys(name for run in runs for name in run))
    return [Boundary(name, steady=all(name in run for run in runs)) for name in ordered]


def any_such(name: str) -> str:
    """A pattern of names: the same but for how often it was done before in its scope."""
    action, phase = name.rsplit("/", 1)
    return f"{action.rsplit('.', 1)[0]}.*/{phase}"


def unnumbered(name: str) -> str:
    """A name without its ordinals: boundaries of one kind."""
    scope, action, phase = name.split("/", 1)[0], name.split("/", 1)[1].rsplit("/", 1)[0], name.rsplit("/", 1)[1]
    return f"{scope.rsplit('.', 1)[0]}/{action.rsplit('.', 1)[0]}/{phase}"


def sample(found: Iterable[Boundary], seed: int) -> list[Boundary]:
    """A few of them, drawn by a seed: before, during, after the package run, around the reboot, a dispatch, a cut."""
    steady = [boundary for boundary in found if boundary.steady]
    dice = random.Random(seed)  # noqa: S311 - a choice that can be made again, nothing secret
    chosen = (dice.choice(candidates) for wish in _WISHES if (candidates := [b for b in steady if wish(b.name)]))
    return list(dict.fromkeys(chosen))


def _in(*scopes: str) -> Callable[[str], bool]:
    return lambda name: name.split("/", 1)[0] in scopes and not name.endswith("/cut")


def _dispatch(name: str) -> bool:
    return name.startswith("operator/wake")


def _cut(name: str) -> bool:
    return name.endswith("/cut")


def _at(text: str) -> Callable[[str], bool]:
    return lambda name: text in name and not name.endswith("/cut")


_WISHES: tuple[Callable[[str], bool], ...] = (
    _in("assess_host.2"),
    _at("run_operation.1/ssh poll"),
    _in("assess_host.3"),
    _in("run_operation.2"),
    _dispatch,
    _cut,
)
"""In the course of discover (assess 1), update (assess 2, operation 1), reboot (assess 3, operation 2), rest (assess 4)."""
