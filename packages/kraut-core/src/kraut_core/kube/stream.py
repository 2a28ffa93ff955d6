"""list+watch as one endless stream of typed changes, which heals by itself.

WatchList first (KEP-3157), paged LIST as fallback; client-go's reflector is the model:
https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic

import aiohttp

from kraut_core.errors import ApiServerError, ForbiddenError, KrautError
from kraut_core.kube.backoff import Backoff
from kraut_core.kube.client import KubeClient
from kraut_core.kube.framing import LineSplitter
from kraut_core.kube.replica import Change, ExpiredError, Key, Replica, T, View
from kraut_core.kube.transport import JSON, Request
from kraut_core.patience import patience

METADATA_ONLY_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
SHORTEST_WATCH_SECONDS = 1.0
"""The server ends a watch after minutes; one that ends sooner than this is a failure, or it would be retried in a busy loop."""
PAGE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Source:
    """What is watched: ``path`` is a collection, for example ``/apis/kraut.dev/v1alpha1/hosts``.

    ``metadata_only``: the API server leaves out everything but metadata (PartialObjectMetadata).
    """

    path: str
    metadata_only: bool = False
    label_selector: str = ""
    field_selector: str = ""


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """Seconds and sizes.

    ``idle_seconds``: bookmarks come each minute and the watch cache keeps fresh events for 75 s, so that 70 s of silence is
    a dead connection. ``watch_seconds``: the server ends a watch after a random time in this range. ``relist_seconds``: a watch
    that ends when the last complete reading is older than this is not resumed, everything is read again. Nothing else finds an
    event that never came, since bookmarks and later events move the version to resume from beyond it.
    """

    idle_seconds: float = 70.0
    watch_seconds: tuple[int, int] = (300, 600)
    relist_seconds: float = 3600.0
    connect_seconds: float = 10.0
    page_size: int = 500


class Stream(Generic[T]):
    """The objects of one source, kept current.

    ``trouble`` is why the last attempt failed, None while the watch stands; ``heard_at`` is the monotonic time of the last
    byte. ``on_trouble`` is called with each failure and the seconds until the next attempt. ``settled`` is set once the first
    attempt has read what exists, or has failed.
    """

    def __init__(
        self,
        client: KubeClient,
        source: Source,
        view: View[T],
        *,
        options: StreamOptions | None = None,
        on_trouble: Callable[[KrautError, float], None] | None = None,
    ) -> None:
        self.source = source
        self.synced = False
        self.settled = asyncio.Event()
        self.trouble: KrautError | None = None
        self.restarts = 0
        self.heard_at = time.monotonic()
        self._transport = client.transport
        self._options = options or StreamOptions()
        self._replica: Replica[T] = Replica(view)
        self._backoff = Backoff(clock=time.monotonic)
        self._on_trouble = on_trouble
        self._watch_list = True
        self._answered = False
        self._read_at = time.monotonic()

    @property
    def objects(self) -> Mapping[Key, T]:
        """The last known state; stale while there is trouble, empty before the first sync."""
        return self._replica.objects

    @property
    def undecodable(self) -> int:
        """Objects left out because they do not fit the shape."""
        return self._replica.undecodable

    async def changes(self) -> AsyncGenerator[list[Change[T]], None]:
        """Yield batches of changes, for ever. Cancel the task, or ``aclose()``, to end it; errors never come through."""
        while True:
            self._answered = False
            try:
                async with aclosing(self._attempt()) as batches:
                    async for batch in batches:
                        if batch:
                            yield batch
            except KrautError as error:
                await self._recover(error)

    async def _recover(self, error: KrautError) -> None:
        self.trouble = error
        self.settled.set()
        self.restarts += 1
        status = error.status if isinstance(error, ApiServerError) else 0
        if isinstance(error, ExpiredError) or status in (410, 504):
            # 504 "too large resource version": this server's cache is behind; reading again is always right.
            self._replica.resource_version = ""
        refused = isinstance(error, ForbiddenError) and error.reason == "Invalid"
        if self._replica.arriving and (self._answered or refused):
            # Whatever is wrong with one way of reading everything, the other way may do.
            self._watch_list = not self._watch_list
        wait = self._backoff.fail()
        if self._on_trouble is not None:
            self._on_trouble(error, wait)
        await asyncio.sleep(wait)

    def _attempt(self) -> AsyncGenerator[list[Change[T]], None]:
        stale = time.monotonic() - self._read_at >= self._options.relist_seconds
        if self._replica.resource_version and not self._replica.arriving and not stale:
            return self._watch(initial=False)
        self._replica.begin()
        return self._watch(initial=True) if self._watch_list else self._list()

    async def _list(self) -> AsyncGenerator[list[Change[T]], None]:
        token = ""
        deadlines = aiohttp.ClientTimeout(total=PAGE_SECONDS, sock_connect=self._options.connect_seconds)
        while True:
            params = {"limit": str(self._options.page_size)} | ({"continue": token} if token else {})
            async with self._transport.stream(self._request(params, deadlines, METADATA_ONLY_LIST)) as response:
                self._heard()
                body = await response.read()
            token = self._replica.take_page(body)
            if not token:
                break
        self._sync()
        yield self._replica.complete()

    async def _watch(self, *, initial: bool) -> AsyncGenerator[list[Change[T]], None]:
        started = time.monotonic()
        splitter = LineSplitter()
        async with self._transport.stream(self._watch_request(initial=initial)) as response:
            self._heard()
            while chunk := await self._next_chunk(response):
                self.heard_at = time.monotonic()
                batch: list[Change[T]] = []
                try:
                    self._replica.take_lines(splitter.feed(chunk), batch)
                finally:
                    if initial and not self._replica.arriving:
                        initial = False
                        self._sync()
                    # Also what came before an error: the next attempt resumes after it, and nobody would hear of it again.
                    yield batch
                # A burst of events is always ready to be read: others of this loop get their turn here.
                await asyncio.sleep(0)
        if splitter.pending:
            raise ApiServerError(f"the watch of {self.source.path} ended in the middle of an event")
        if self._replica.arriving:
            raise ApiServerError(f"the watch of {self.source.path} ended before all existing objects were sent")
        if time.monotonic() - started < SHORTEST_WATCH_SECONDS:
            raise ApiServerError(f"the watch of {self.source.path} ended at once")

    async def _next_chunk(self, response: aiohttp.ClientResponse) -> bytes:
        """What comes next, empty at the end. Raises ApiServerError after too long a silence.

        The deadline is our own: aiohttp's stops with the first chunk that is malformed, and reading then waits for ever.
        """
        seconds = self._options.idle_seconds
        try:
            async with patience(seconds):
                return await response.content.readany()
        except TimeoutError:
            path = self.source.path
            raise ApiServerError(f"expected an event or a bookmark of {path}, nothing came for {seconds:g} s") from None

    def _watch_request(self, *, initial: bool) -> Request:
        seconds = random.randint(*self._options.watch_seconds)  # noqa: S311 - spreads load, guards nothing
        params = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        if initial:
            params |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        else:
            params |= {"resourceVersion": self._replica.resource_version}
        deadlines = aiohttp.ClientTimeout(
            total=seconds + self._options.idle_seconds, sock_connect=self._options.connect_seconds
        )
        # Of the answer's beginning; `_next_chunk` has a deadline for each piece of the rest.
        return self._request(params, deadlines, METADATA_ONLY, begin_seconds=self._options.idle_seconds)

    def _request(
        self,
        params: Mapping[str, str],
        deadlines: aiohttp.ClientTimeout,
        accept: str,
        *,
        begin_seconds: float | None = None,
    ) -> Request:
        selectors = {"labelSelector": self.source.label_selector, "fieldSelector": self.source.field_selector}
        return Request(
            "GET",
            self.source.path,
            deadlines,
            # Uncompressed: inside a cluster the network is faster than gzip.
            headers={"Accept": accept if self.source.metadata_only else JSON, "Accept-Encoding": "identity"},
            params={**params, **{key: value for key, value in selectors.items() if value}},
            begin_seconds=begin_seconds,
        )

    def _sync(self) -> None:
        self.synced = True
        self._read_at = time.monotonic()
        self.settled.set()

    def _heard(self) -> None:
        self._answered = True
        self.heard_at = time.monotonic()
        self.trouble = None
