"""Leader election on a Lease, in a thread and an event loop of its own, so that a busy process never misses a renewal.

The leader that cannot renew within ``renew_seconds`` ends the process: nothing else makes sure that it stops. Two
leaders may overlap for a moment all the same (Leases do not fence); signals are idempotent, so that this harms nothing.
"""

import asyncio
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from kraut_core.errors import ConflictError, KrautError, NotFoundError
from kraut_core.kube.client import KubeClient
from kraut_core.kube.paths import segment
from kraut_operator.lease import LeaseRecord, Sighting, lease_manifest, may_take, parse_lease, released, see, taken

log = structlog.get_logger(__name__)

JITTER = 1.2
STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ElectionOptions:
    """The Lease and its times in seconds; client-go's defaults are 15, 10 and 2. ``attempt_seconds`` bounds one attempt."""

    namespace: str
    name: str
    identity: str
    lease_seconds: int = 15
    renew_seconds: float = 10.0
    retry_seconds: float = 2.0
    attempt_seconds: float = 5.0


class Election:
    """Runs for the Lease until stopped.

    ``on_lost`` is called in the election's thread, with a sentence, when a Lease that was held is held no more.
    """

    def __init__(
        self,
        options: ElectionOptions,
        *,
        kubeconfig: str | None,
        context: str | None,
        on_lost: Callable[[str], None],
    ) -> None:
        self.trouble: str | None = None
        self._options = options
        self._access = (kubeconfig, context)
        self._on_lost = on_lost
        self._renewed_at: float | None = None
        self._sighting: Sighting | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="leader-election", daemon=True)

    @property
    def leads(self) -> bool:
        """Whether the Lease is held and its time has not run out, by this machine's monotonic clock."""
        renewed_at = self._renewed_at
        return renewed_at is not None and time.monotonic() - renewed_at < self._options.lease_seconds

    def start(self) -> None:
        """Start running for the Lease."""
        self._thread.start()

    def stop(self) -> None:
        """Give the Lease back, if it is held, and end the thread; waits 5 s at most."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:
            self._on_lost(f"the election ended with {type(error).__name__}: {error}")
            raise

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        kubeconfig, context = self._access
        while not self._stop.is_set():
            try:
                async with KubeClient.connect(
                    kubeconfig, context, user_agent="kraut-operator", timeout_seconds=self._options.attempt_seconds
                ) as client:
                    await self._campaign(client, self._stop)
                    return
            except KrautError as error:
                # The configuration cannot be used now: a token that is being replaced, a file that is not mounted yet.
                self._note(error)
                await self._pause(self._stop)

    async def _campaign(self, client: KubeClient, stop: asyncio.Event) -> None:
        while not stop.is_set():
            started = time.monotonic()
            held = await self._attempt(client)
            if held and self._renewed_at is None:
                self._renewed_at = started
                log.info("leading", lease=self._options.name, identity=self._options.identity)
            elif held:
                self._renewed_at = started
            elif self._renewed_at is not None and self._must_give_up():
                return
            await self._pause(stop)
        if self._renewed_at is not None:
            await self._release(client)

    def _must_give_up(self) -> bool:
        silent = time.monotonic() - (self._renewed_at or 0.0)
        taken_by = self._sighting.record.holder if self._sighting is not None else ""
        other = taken_by not in ("", self._options.identity)
        if not other and silent < self._options.renew_seconds:
            return False
        reason = f"{taken_by} holds the Lease" if other else f"not renewed for {silent:.0f} s: {self.trouble}"
        self._renewed_at = None
        self._on_lost(reason)
        return True

    async def _attempt(self, client: KubeClient) -> bool:
        """Take or renew the Lease once; False when somebody else holds it or nothing can be said."""
        try:
            async with asyncio.timeout(self._attempt_seconds()):
                held = await self._take(client)
        except ConflictError:
            # Somebody else wrote it first; the next attempt reads who.
            return False
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, the lease runs out, and that is noticed
            self._note(error)
            return False
        self.trouble = None
        return held

    def _attempt_seconds(self) -> float:
        if self._renewed_at is None:
            return self._options.attempt_seconds
        left = self._renewed_at + self._options.renew_seconds - time.monotonic()
        return max(0.1, min(self._options.attempt_seconds, left))

    async def _take(self, client: KubeClient) -> bool:
        path = f"/apis/coordination.k8s.io/v1/namespaces/{segment(self._options.namespace)}/leases"
        try:
            found = parse_lease(await client.get_raw(f"{path}/{segment(self._options.name)}"))
        except NotFoundError:
            found = LeaseRecord()
        self._sighting = see(found, self._sighting, time.monotonic())
        if not may_take(self._sighting, self._options.identity, time.monotonic()):
            return False
        wanted = taken(found, self._options.identity, self._options.lease_seconds, datetime.now(UTC))
        self._sighting = see(await self._write(client, path, wanted), self._sighting, time.monotonic())
        return True

    async def _write(self, client: KubeClient, path: str, record: LeaseRecord) -> LeaseRecord:
        manifest = lease_manifest(record, namespace=self._options.namespace, name=self._options.name)
        if not record.resource_version:
            return parse_lease(await client.post_raw(path, manifest))
        return parse_lease(await client.put_raw(f"{path}/{self._options.name}", manifest))

    async def _release(self, client: KubeClient) -> None:
        self._renewed_at = None
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self._options.namespace}/leases"
        if self._sighting is None or self._sighting.record.holder != self._options.identity:
            return
        try:
            async with asyncio.timeout(self._options.retry_seconds):
                await self._write(client, path, released(self._sighting.record))
        except Exception as error:  # noqa: BLE001 - it runs out by itself
            log.warning("lease not given back", error=str(error))

    async def _pause(self, stop: asyncio.Event) -> None:
        seconds = self._options.retry_seconds * random.uniform(1.0, JITTER)  # noqa: S311 - spreads load
        try:
            async with asyncio.timeout(seconds):
                await stop.wait()
        except TimeoutError:
            return

    def _note(self, error: Exception) -> None:
        sentence = f"{type(error).__name__}: {error}"
        if self.trouble != sentence:
            log.warning("lease not taken", lease=self._options.name, error=sentence)
        self.trouble = sentence
