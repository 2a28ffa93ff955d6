"""Small worlds for tests: a clock, sources of entries, and a controller over them."""

from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from kraut_core.api.kinds import Kind
from kraut_core.kube.replica import Change, Deleted, Synced, Upserted
from kraut_operator.cache import Cache
from kraut_operator.controller import Controller
from kraut_operator.entry import Entry, Observed
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
    """A controller whose streams are played by the test; every entry goes in as the stream would tell it."""

    def __init__(self, kinds: tuple[Kind, ...], *names: str) -> None:
        self.clock = Clock()
        self.cache = Cache(kinds)
        self.controller = Controller(kinds, self.cache, OperatorMetrics(CollectorRegistry()), clock=self.clock)
        self.sources = {name: Source() for name in names}
        for name, source in self.sources.items():
            self.cache.attach(name, source)

    async def sync(self, kind: str, *entries: Entry) -> None:
        """The first state of a kind is complete."""
        source = self.sources[kind]
        source.objects = {(found.namespace, found.name): found for found in entries}
        source.synced = True
        changes: list[Change[Entry]] = [Upserted(found, None, initial=True) for found in entries]
        await self.controller.take([*changes, Synced(len(entries))], kind)

    async def put(self, new: Entry) -> None:
        """An object was created or changed."""
        objects = self.sources[new.kind].objects
        old = objects.get((new.namespace, new.name))
        objects[new.namespace, new.name] = new
        await self.controller.take([Upserted(new, old, initial=False)], new.kind)

    async def drop(self, old: Entry) -> None:
        """An object is gone."""
        del self.sources[old.kind].objects[old.namespace, old.name]
        await self.controller.take([Deleted(old)], old.kind)

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
