"""I3: an operation has at most one effect. I4: a machine has one operation at a time. Witnesses are the machines."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise

from kraut_lab.nemesis.checks.violation import Violation
from kraut_lab.nemesis.history import Event, History

_LOCKED = 75
"""Exit code of an operation that found the machine's lock taken, and so did nothing."""


def check_effects(history: History) -> list[Violation]:
    """I3: on one machine, in one boot, each package configured once, one reboot asked for."""
    begun = Counter(
        (e["operation"], e["host"], e["package"], e["version"]) for e in history.of("effect", phase="begin")
    )
    found = [
        Violation("I3", f"operation {operation} configured {package} {version} on {host} {count} times")
        for (operation, host, package, version), count in begun.items()
        if operation and count > 1
    ]
    reboots = Counter((e["operation"], e["host"]) for e in history.of("reboot"))
    found += [
        Violation("I3", f"operation {operation} asked {host} {count} times to reboot")
        for (operation, host), count in reboots.items()
        if operation and count > 1
    ]
    places: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for event in (*history.of("effect"), *history.of("reboot")):
        places[event["operation"]].add((event["host"], event["boot"]))
    found += [
        Violation("I3", f"operation {operation} had effects in several boots or on several hosts: {sorted(where)}")
        for operation, where in places.items()
        if operation and len(where) > 1
    ]
    return found


def check_one_at_a_time(history: History) -> list[Violation]:
    """I4: what operations do to one machine does not overlap, nor do the operations themselves."""
    found = []
    for host in history.run["hosts"]:
        for spans in (_effects(history, host), _operations(history, host)):
            ordered = sorted(spans)
            for (_, until, first), (since, _, second) in pairwise(ordered):
                if first != second and since < until:
                    found.append(Violation("I4", f"{host}: {second} began {until - since:.2f} s before {first} ended"))
    return found


def _effects(history: History, host: str) -> Iterator[tuple[float, float, str]]:
    """(begin, end, operation) of every package's configuration; one that a power cut ended has no end and counts as its begin."""
    ends = {_key(event): float(event["t"]) for event in history.of("effect", host=host, phase="end")}
    for event in history.of("effect", host=host, phase="begin"):
        began = float(event["t"])
        yield began, ends.get(_key(event), began), str(event["operation"])


def _key(event: Event) -> tuple[str, ...]:
    return event["operation"], event["package"], event["version"], event["boot"]


def _operations(history: History, host: str) -> Iterator[tuple[float, float, str]]:
    last = {event["operation"]: event for event in history.of("operation", host=host)}
    for operation, event in last.items():
        claimed, ended = event["claimed"], event["ended"]
        if claimed is not None and ended is not None and event["exitCode"] != _LOCKED:
            yield float(claimed), float(ended), operation
