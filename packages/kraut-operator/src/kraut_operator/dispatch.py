"""Whether the workflow of an object must be woken, and why (pure).

Compares with the status only, since the operator may have just started: nothing is remembered about what was sent.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from kraut_core.contracts.reconcile import Reason
from kraut_operator.entry import Entry, Named, Observed

Version = tuple[str, str]
"""uid and what stands for the content; two empty strings for an object that does not exist."""

ABSENT: Version = ("", "")


class CacheView(Protocol):
    """What deciding needs to know of other objects."""

    def version(self, target: Named, namespace: str) -> Version | None:
        """The version of an object, ABSENT when it does not exist; None while that is not known yet."""

    def selected(self, entry: Entry) -> Mapping[Named, Version] | None:
        """The objects that the entry's selectors select; None while that is not known yet."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """The workflow must look at the object.

    ``world`` is all that the decision rests on except the answer: as long as it stays the same, one signal is enough.
    """

    uid: str
    generation: int
    reason: Reason
    world: tuple[object, ...]
    site: str = ""


def decide(entry: Entry, view: CacheView) -> Dispatch | None:
    """What the object needs; None when its status answers everything that is known."""
    selected = view.selected(entry)
    current = dict(_referenced(entry, view)) | dict(selected or {})
    reason = _reason(entry, current, frozenset() if selected is None else _selected_kinds(entry))
    if reason is None:
        return None
    world = (entry.uid, entry.generation, entry.deleting, entry.requested, tuple(sorted(current.items())))
    return Dispatch(entry.uid, entry.generation, reason, world, entry.site)


def _referenced(entry: Entry, view: CacheView) -> Iterator[tuple[Named, Version]]:
    for target in entry.references:
        version = view.version(target, entry.namespace)
        if version is not None:
            yield target, version


def _selected_kinds(entry: Entry) -> frozenset[str]:
    return frozenset(selection.kind for selection in entry.selections)


def _reason(entry: Entry, current: Mapping[Named, Version], selected_kinds: frozenset[str]) -> Reason | None:
    if entry.deleting:
        return "Deleted"
    if entry.requested and entry.requested != entry.handled:
        return "Requested"
    if entry.generation != entry.answered:
        return "Spec" if entry.answered else "Initial"
    return "Reference" if _references_changed(entry.observed, current, selected_kinds) else None


def _references_changed(
    observed: tuple[Observed, ...], current: Mapping[Named, Version], selected_kinds: frozenset[str]
) -> bool:
    seen = {Named(item.kind, item.name): (item.uid, item.version) for item in observed}
    # A reference that the status does not mention was never looked at, even when there is nothing to look at.
    if any(seen.get(target) != version for target, version in current.items()):
        return True
    return any(
        target.kind in selected_kinds and target not in current and version != ABSENT
        for target, version in seen.items()
    )
