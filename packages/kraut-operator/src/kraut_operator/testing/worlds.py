"""Small worlds for tests: a clock, sources of entries, and a controller over them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from kraut_core.api.kinds import Kind
from kraut_core.kube.replica import Change, Deleted, Synced, Upserted
from kraut_operator.cache import EVERYWHERE, Cache
from kraut_operator.controller import Controller
from kraut_operator.dispatch import Dispatch
from kraut_operator.entry import Entry, ObjectKey, Observed
from kraut_operator.metrics import OperatorMetrics
from kraut_operator.projection import LabelSelector


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Source:
    """A stream without a server."""

    objects: dict[tuple[str, str], Entry] = field(default_factory=dict)
    synced: bool = False


def entry(kind: str, name: str, *, uid: str = "", version: int = 1, namespace: str = "n", **more: Any) -> Entry:
    return Entry(
        kind=kind, namespace=namespace, name=name, uid=uid or f"uid-{name}", resource_version=str(version), **more
    )


def answered(kind: str, name: str, **more: Any) -> Entry:
    """An object whose status answers its generation."""
    return entry(kind, name, **{"generation": 1, "answered": 1, **more})


def saw(target: Entry, version: str | None = None) -> Observed:
    return Observed(target.kind, target.name, target.uid, target.resource_version if version is None else version)


def selecting(**labels: str) -> LabelSelector:
    return LabelSelector(match_labels=labels)


class World:
    """A controller whose streams are played by the test; every entry goes in as the stream would tell it.

    ``names`` are kinds; with ``namespaces`` each kind has a stream for each of them, else one for all.
    """

    def __init__(self, kinds: tuple[Kind, ...], *names: str, namespaces: Sequence[str] = ()) -> None:
        self.clock = Clock()
        self.cache = Cache(kinds)
        self.controller = Controller(kinds, self.cache, OperatorMetrics(CollectorRegistry()), clock=self.clock)
        self.sources: dict[str, Source] = {}
        self._by_namespace: dict[tuple[str, str], Source] = {}
        for name in names:
            for namespace in namespaces or (EVERYWHERE,):
                source = self.sources[name] = self._by_namespace[name, namespace] = Source()
                self.cache.attach(name, source, namespace)

    async def sync(self, kind: str, *entries: Entry, namespace: str = EVERYWHERE) -> None:
        """A complete state of a kind was read, for the first time or again."""
        source = self._by_namespace[kind, namespace]
        initial, source.synced = not source.synced, True
        before = source.objects
        source.objects = {(found.namespace, found.name): found for found in entries}
        changes: list[Change[Entry]] = [Deleted(old) for key, old in before.items() if key not in source.objects]
        for key, found in source.objects.items():
            old = before.get(key)
            if old is None or old.resource_version != found.resource_version:
                changes.append(Upserted(found, old, initial=initial))
        await self.controller.take([*changes, Synced(len(entries))], kind)

    async def put(self, new: Entry) -> None:
        """An object was created or changed."""
        objects = self._source_of(new).objects
        old = objects.get((new.namespace, new.name))
        objects[new.namespace, new.name] = new
        await self.controller.take([Upserted(new, old, initial=False)], new.kind)

    async def drop(self, old: Entry) -> None:
        """An object is gone."""
        del self._source_of(old).objects[old.namespace, old.name]
        await self.controller.take([Deleted(old)], old.kind)

    def _source_of(self, entry: Entry) -> Source:
        everywhere = self._by_namespace.get((entry.kind, EVERYWHERE))
        return everywhere or self._by_namespace[entry.kind, entry.namespace]

    def begin(self) -> tuple[ObjectKey, Dispatch]:
        """Begin to send what goes first; the test ends it by ``sent`` or ``failed``, and ``done``. Raises LookupError."""
        popped = self.controller.queue.pop()
        dispatch = self.controller.what_to_send(popped[0]) if popped is not None else None
        if popped is None or dispatch is None:
            raise LookupError(f"expected something to send, found {popped}")
        return popped[0], dispatch

    def send(self) -> list[tuple[str, str]]:
        """Send everything that is due, as the dispatcher does when Temporal takes it; returns names and reasons."""
        sent: list[tuple[str, str]] = []
        while (popped := self.controller.queue.pop()) is not None:
            key = popped[0]
            dispatch = self.controller.what_to_send(key)
            if dispatch is not None:
                sent.append((key.name, dispatch.reason))
                self.controller.sent(key, dispatch)
            self.controller.queue.done(key)
        return sent
