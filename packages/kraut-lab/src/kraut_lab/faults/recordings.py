"""What must be true of recordings, whatever happened (pure): JSON of the API server and of the hosts in, sentences out.

It imports nothing of what it judges. Each function returns what is wrong, a sentence each; nothing wrong is an empty list.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

Event = tuple[str, dict[str, Any]]
"""Type (ADDED, MODIFIED, DELETED) and object of a watch event, in the order of the watch."""


class Operation(NamedTuple):
    """One operation as its folder on the host tells it; times are Unix seconds, ``ended`` 0 while there is no result."""

    id: str
    began: float
    ended: float


def going_back(events: Iterable[Event], *, foreign: Iterable[str] = ()) -> list[str]:
    """I9: observedGeneration of one object never falls, and is never ahead of the generation.

    Args:
        foreign: resourceVersions whose status somebody else than kraut wrote; they and what only carries them on are skipped.
    """
    skipped = set(foreign)
    statuses: dict[str, Any] = {}
    seen: dict[str, int] = {}
    wrong = []
    for _, found in events:
        metadata, status = found["metadata"], found.get("status") or {}
        uid, observed = metadata["uid"], status.get("observedGeneration")
        written = statuses.get(uid) != status and metadata["resourceVersion"] not in skipped
        statuses[uid] = status
        if observed is None or not written:
            continue
        said = f"{metadata['name']} at {metadata['resourceVersion']}: observedGeneration {observed}"
        if observed < seen.get(uid, 0):
            wrong.append(f"{said} after {seen[uid]}")
        if observed > metadata["generation"]:
            wrong.append(f"{said} of generation {metadata['generation']}")
        seen[uid] = max(observed, seen.get(uid, 0))
    return wrong


def repeated(effects: Iterable[tuple[str, str]]) -> list[str]:
    """I3: no version of a package was configured twice."""
    return [f"{what} happened {times} times" for what, times in Counter(effects).items() if times > 1]


def overlapping(operations: Iterable[Operation]) -> list[str]:
    """I4: on one host an operation begins only when the one before has ended."""
    ordered = sorted(operations, key=lambda operation: operation.began)
    return [
        f"{after.id} began at {after.began} while {before.id} ran (until {before.ended or 'now'})"
        for before, after in itertools.pairwise(ordered)
        if before.ended == 0 or after.began < before.ended
    ]


def not_last(host: dict[str, Any]) -> list[str]:
    """I2: the status answers the last generation."""
    observed, generation = (host.get("status") or {}).get("observedGeneration"), host["metadata"]["generation"]
    return [] if observed == generation else [f"observedGeneration is {observed}, the generation {generation}"]


def deleted_twice(events: Iterable[Event]) -> list[str]:
    """I11: each object is gone once, and nothing is heard of it afterwards."""
    gone: set[str] = set()
    wrong = []
    for kind, found in events:
        uid = found["metadata"]["uid"]
        if uid in gone:
            wrong.append(f"{kind} of {found['metadata']['name']} ({uid}) after it was deleted")
        if kind == "DELETED":
            gone.add(uid)
    return wrong


def over_budget(holders: Sequence[frozenset[str]], budget: int) -> list[str]:
    """I5: at no instant more places are held than there are."""
    return [f"{len(held)} places held of {budget}: {sorted(held)}" for held in holders if len(held) > budget]
