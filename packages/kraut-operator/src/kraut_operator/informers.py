"""One stream per kind and namespace, all of them feeding the controller, and whether what they say can be relied on."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from kraut_core.api.kinds import Kind
from kraut_core.errors import KrautError
from kraut_core.kube.client import KubeClient
from kraut_core.kube.paths import FOREIGN, collection, watched
from kraut_core.kube.stream import Source, Stream, StreamOptions
from kraut_operator.cache import EVERYWHERE, Cache
from kraut_operator.controller import Controller
from kraut_operator.entry import Entry
from kraut_operator.metrics import OperatorMetrics
from kraut_operator.projection import project_kind, project_metadata

log = structlog.get_logger(__name__)

SILENT_SECONDS = 150.0
"""Twice the idle deadline of a watch: what has been silent for longer is not being watched."""


@dataclass(frozen=True, slots=True)
class Informer:
    """One stream, the kind and the namespace (or EVERYWHERE) that it watches."""

    kind: str
    namespace: str
    stream: Stream[Entry]

    def check(self) -> str | None:
        """Why the entries cannot be relied on, None when they can."""
        trouble = self.stream.trouble
        if trouble is not None:
            return f"{self.stream.source.path}: {trouble}"
        if not self.stream.synced:
            return f"{self.stream.source.path}: existing objects are still being read"
        silent = time.monotonic() - self.stream.heard_at
        return f"{self.stream.source.path}: nothing heard for {silent:.0f} s" if silent > SILENT_SECONDS else None


def make_informers(
    client: KubeClient,
    kinds: Sequence[Kind],
    *,
    namespaces: Sequence[str],
    metrics: OperatorMetrics,
    options: StreamOptions | None = None,
) -> list[Informer]:
    """Informers for all kinds and everything they refer to; no namespaces: all of them."""
    views = {kind.name: project_kind(kind, kinds) for kind in kinds}
    views |= {name: project_metadata(name, kinds) for name in _referenced(kinds) if name in FOREIGN}
    declared = {kind.name: kind for kind in kinds}
    informers = []
    for name, view in views.items():
        for namespace in namespaces or (EVERYWHERE,):
            kind = declared.get(name)
            path = collection(kind, namespace or None) if kind is not None else watched(name, namespace or None)
            report = _reporter(name, path, metrics)
            source = Source(path, metadata_only=kind is None)
            stream = Stream(client, source, view, options=options, on_trouble=report)
            informers.append(Informer(name, namespace, stream))
    return informers


def _reporter(kind: str, path: str, metrics: OperatorMetrics) -> Callable[[KrautError, float], None]:
    def report(error: KrautError, seconds: float) -> None:
        metrics.stream_failures.labels(kind).inc()
        log.warning("watch failed", path=path, error=str(error), retry_seconds=round(seconds, 1))

    return report


def _referenced(kinds: Sequence[Kind]) -> list[str]:
    named = [reference.kind for kind in kinds for reference in kind.references]
    named += [selector.kind for kind in kinds for selector in kind.selectors]
    return sorted(set(named))


async def run_informers(informers: Sequence[Informer], cache: Cache, controller: Controller) -> None:
    """Feed the controller from all streams, for ever."""
    for informer in informers:
        cache.attach(informer.kind, informer.stream, informer.namespace)
    async with asyncio.TaskGroup() as group:
        for informer in informers:
            group.create_task(_feed(informer, controller), name=f"informer {informer.stream.source.path}")


async def _feed(informer: Informer, controller: Controller) -> None:
    async with aclosing(informer.stream.changes()) as batches:
        async for batch in batches:
            await controller.take(batch, informer.kind)


def check_informers(informers: Sequence[Informer]) -> str | None:
    """What is wrong with any of them, in one line; None when nothing is."""
    found = [trouble for informer in informers if (trouble := informer.check()) is not None]
    return "; ".join(found) or None
