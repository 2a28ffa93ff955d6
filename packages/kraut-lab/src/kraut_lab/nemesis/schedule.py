"""Which faults strike when: the same seed gives the same faults (pure)."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from typing import Final

from kraut_lab.nemesis.fault import KINDS, OF_HOSTS, REPLICAS, Fault, Kind
from kraut_lab.nemesis.packages import PACKAGES

MEAN_GAP_SECONDS: Final = 7.0
FIRST_SECONDS: Final = 3.0


def make_schedule(seed: int, *, hosts: int, minutes: float) -> list[Fault]:
    """Faults in the order in which they begin; all of them begin and end within ``minutes``."""
    draw = random.Random(seed)  # noqa: S311 - to be the same again, not to be unguessable
    end = minutes * 60
    busy_until: dict[tuple[str, str], float] = {}
    faults: list[Fault] = []
    at = FIRST_SECONDS
    while at < end:
        kind = draw.choices(KINDS, [kind.weight for kind in KINDS])[0]
        target = _target(draw, kind, hosts)
        seconds = round(min(draw.uniform(*kind.seconds), end - at), 1)
        seat = kind.seat, target if kind.seat != "repository" else ""
        if busy_until.get(seat, 0.0) <= at:
            busy_until[seat] = at + seconds + 1
            faults.append(Fault(len(faults) + 1, kind.name, target, round(at, 1), seconds))
        at += draw.expovariate(1 / MEAN_GAP_SECONDS)
    return faults


def only(faults: Sequence[Fault], numbers: Collection[int]) -> list[Fault]:
    """The faults of these numbers, as they were.

    Raises:
        ValueError: a number is not of the schedule.
    """
    known = {fault.number for fault in faults}
    if unknown := sorted(set(numbers) - known):
        raise ValueError(f"The schedule has the faults 1 to {len(faults)}, it has no {unknown}.")
    return [fault for fault in faults if fault.number in numbers]


def _target(draw: random.Random, kind: Kind, hosts: int) -> str:
    if kind.seat in OF_HOSTS:
        return str(draw.randrange(hosts))
    if kind.seat in ("operator", "worker"):
        return draw.choice(REPLICAS)
    return draw.choice(PACKAGES) if kind.name == "publish" else ""
