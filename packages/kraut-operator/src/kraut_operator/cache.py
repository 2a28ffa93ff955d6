"""The informer cache: entries by kind, and who must be looked at again when one of them changes."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Protocol

from kraut_core.api.kinds import Kind
from kraut_core.api.labels import matches
from kraut_operator.dispatch import ABSENT, Version
from kraut_operator.entry import Entry, Named, ObjectKey

EVERYWHERE = ""
"""Of a stream: it watches all namespaces."""


class EntrySource(Protocol):
    """One stream of one kind: its entries by namespace and name, and whether they are complete."""

    @property
    def objects(self) -> Mapping[tuple[str, str], Entry]: ...
    @property
    def synced(self) -> bool: ...


class Cache:
    """All streams together, with indexes; it stores no entry itself. Implements ``dispatch.CacheView``."""

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self._sources: dict[str, dict[str, EntrySource]] = {}
        self._referrers: dict[ObjectKey, set[ObjectKey]] = {}
        self._owner_kinds = {owned: {kind.name for kind in kinds if owned in kind.owns} for owned in _owned(kinds)}
        self._selecting = {of: [k.name for k in kinds if _selects(k, of)] for of in _selected(kinds)}
        # A kraut kind's status must not wake those who refer to it; other kinds have nothing but the resourceVersion.
        self._by_generation = {kind.name for kind in kinds} - {
            reference.kind for kind in kinds for reference in kind.references if reference.version == "resourceVersion"
        }

    def attach(self, kind: str, source: EntrySource, namespace: str = EVERYWHERE) -> None:
        """Add a stream of ``kind``: the one of ``namespace``, or of all."""
        self._sources.setdefault(kind, {})[namespace] = source

    def synced(self, kind: str, namespace: str) -> bool:
        """Whether every object of the kind in a namespace is known. What other namespaces do not let us read hides nothing here."""
        source = self._source(kind, namespace)
        return source is not None and source.synced

    def _source(self, kind: str, namespace: str) -> EntrySource | None:
        sources = self._sources.get(kind, {})
        return sources.get(namespace) or sources.get(EVERYWHERE)

    def get(self, key: ObjectKey) -> Entry | None:
        """The entry of an object, None when there is none."""
        source = self._source(key.kind, key.namespace)
        return source.objects.get((key.namespace, key.name)) if source is not None else None

    def entries(self, kind: str) -> Iterator[Entry]:
        """All entries of a kind."""
        return chain.from_iterable(source.objects.values() for source in self._sources.get(kind, {}).values())

    def _neighbours(self, kind: str, namespace: str) -> Iterator[Entry]:
        source = self._source(kind, namespace)
        entries = source.objects.values() if source is not None else ()
        return (entry for entry in entries if entry.namespace == namespace)

    def version(self, target: Named, namespace: str) -> Version | None:
        """The version of an object; ABSENT when it does not exist, None while that is not known yet."""
        if not self.synced(target.kind, namespace):
            return None
        entry = self.get(ObjectKey(target.kind, namespace, target.name))
        return ABSENT if entry is None else self._version_of(entry)

    def selected(self, entry: Entry) -> Mapping[Named, Version] | None:
        """What the entry's selectors select in its namespace; None while that is not known yet."""
        if not all(self.synced(selection.kind, entry.namespace) for selection in entry.selections):
            return None
        return {
            Named(found.kind, found.name): self._version_of(found)
            for selection in entry.selections
            for found in self._neighbours(selection.kind, entry.namespace)
            if matches(selection.selector, found.labels)
        }

    def note(self, new: Entry | None, old: Entry | None) -> None:
        """Keep the index of referrers current: ``old`` became ``new`` (None: it did not exist, or is gone)."""
        before = set(old.references) if old is not None else set()
        after = set(new.references) if new is not None else set()
        for target in before - after:
            self._forget_referrer(target, old)
        for target in after - before:
            if new is not None:
                self._referrers.setdefault(_target_key(target, new), set()).add(new.key)

    def _forget_referrer(self, target: Named, old: Entry | None) -> None:
        if old is None:
            return
        key = _target_key(target, old)
        referrers = self._referrers.get(key, set())
        referrers.discard(old.key)
        if not referrers:
            self._referrers.pop(key, None)

    def affected_by(self, new: Entry | None, old: Entry | None) -> Iterator[ObjectKey]:
        """Objects whose references or selectors may see another world since ``old`` became ``new``."""
        entry = new or old
        if entry is None or (new is not None and old is not None and self._alike(new, old)):
            return
        yield from tuple(self._referrers.get(entry.key, ()))
        for kind in self._selecting.get(entry.kind, ()):
            for other in self._neighbours(kind, entry.namespace):
                if _any_selects(other, new, old):
                    yield other.key

    def owners_of(self, entry: Entry) -> Iterator[ObjectKey]:
        """Objects of kinds that declare to own this kind, and control this one."""
        kinds = self._owner_kinds.get(entry.kind, set())
        return (ObjectKey(owner.kind, entry.namespace, owner.name) for owner in entry.owners if owner.kind in kinds)

    def _alike(self, new: Entry, old: Entry) -> bool:
        return self._version_of(new) == self._version_of(old) and new.labels == old.labels

    def _version_of(self, entry: Entry) -> Version:
        by_generation = entry.kind in self._by_generation
        return entry.uid, str(entry.generation) if by_generation else entry.resource_version


def _target_key(target: Named, referrer: Entry) -> ObjectKey:
    return ObjectKey(target.kind, referrer.namespace, target.name)


def _any_selects(other: Entry, new: Entry | None, old: Entry | None) -> bool:
    candidates = [entry for entry in (new, old) if entry is not None]
    return any(
        selection.kind == entry.kind and matches(selection.selector, entry.labels)
        for selection in other.selections
        for entry in candidates
    )


def _owned(kinds: Sequence[Kind]) -> set[str]:
    return {name for kind in kinds for name in kind.owns}


def _selected(kinds: Sequence[Kind]) -> set[str]:
    return {selector.kind for kind in kinds for selector in kind.selectors}


def _selects(kind: Kind, of: str) -> bool:
    return any(selector.kind == of for selector in kind.selectors)
