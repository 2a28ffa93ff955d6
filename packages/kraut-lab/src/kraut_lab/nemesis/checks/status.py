"""I9: observedGeneration is monotonic, and so are the fencing token and what has ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

from kraut_lab.nemesis.checks.violation import Violation
from kraut_lab.nemesis.history import History

_SETTLED: Final = frozenset({"Succeeded"})
"""Results that never change. Others may: a host that was out of reach answers again."""


def check_status(history: History) -> list[Violation]:
    """Every version of every Host that anybody could see, and the one before it."""
    found = []
    for uid, versions in _versions(history).items():
        for before, after in pairwise([{}, *versions]):
            name = f"{after['metadata']['name']} ({uid}, {after['metadata']['resourceVersion']})"
            found += [Violation("I9", f"{name}: {problem}") for problem in _problems(before, after)]
    return found


def _problems(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    old, new = before.get("status") or {}, after.get("status") or {}
    generation = after["metadata"]["generation"]
    if new.get("observedGeneration", 0) > generation:
        yield f"observedGeneration {new['observedGeneration']} is ahead of the generation {generation}"
    for field in ("observedGeneration", "fencingToken"):
        if new.get(field, 0) < old.get(field, 0):
            yield f"{field} went back from {old.get(field)} to {new.get(field, 0)}"
    results = {operation["id"]: operation["result"] for operation in new.get("operations", [])}
    for operation in old.get("operations", []):
        now = results.get(operation["id"], operation["result"])
        if operation["result"] in _SETTLED and now != operation["result"]:
            yield f"operation {operation['id']} was {operation['result']} and became {now}"


def _versions(history: History) -> dict[str, list[dict[str, Any]]]:
    """Versions of each Host, told apart by uid, in the order of their resourceVersion; a watch may tell one twice."""
    found: defaultdict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    for event in history.of("object"):
        host = event["object"]
        if host["kind"] == "Host" and event["type"] != "DELETED":
            found[host["metadata"]["uid"]][int(host["metadata"]["resourceVersion"])] = host
    return {uid: [versions[number] for number in sorted(versions)] for uid, versions in found.items()}
