"""Leader election on a Lease, in a thread and an event loop of its own, so that a busy process never misses a renewal.

The leader that cannot renew within ``renew_seconds`` ends the process: nothing else makes sure that it stops. Two
leaders may overlap for a moment all the same (Leases do not fence); signals are idempotent, so that this harms nothing.
"""

import asyncio
import math
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from kraut_core.errors import ConflictError, KrautError, NotFoundError
from kraut_core.kube.client import KubeClient
from kraut_core.kube.paths import segment
from kraut_core.running import run_until
from kraut_operator.lease import (
    JITTER,
    LeaseRecord,
    Sighting,
    lease_manifest,
    may_take,
    parse_lease,
    pause_seconds,
    released,
    see,
    taken,
)

log = structlog.get_logger(__name__)

STOP_SECONDS = 5.0
RELEASE_SECONDS = 3.0
"""To give the Lease back in: less than `STOP_SECONDS`, since the attempt that is under way ends first."""


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
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{segment(options.namespace)}/leases"
        self._told = threading.Event()
        self._stopping: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
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
        """Give the Lease back, if it is held, and end the thread, whatever it is doing; waits 5 s at most."""
        self._told.set()
        if self._loop is not None and self._stopping is not None:
            with suppress(RuntimeError):  # the loop is closed already: the election ended by itself
                self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:
            self._on_lost(f"the election ended with {type(error).__name__}: {error}")
            raise

    async def _main(self) -> None:
        self._stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        # Whoever stopped it before found no loop to tell; whoever stops it from here on does.
        if not self._told.is_set():
            await run_until(self._stopping, self._run_for_lease())

    async def _run_for_lease(self) -> None:
        kubeconfig, context = self._access
        while True:
            try:
                async with KubeClient.connect(
                    kubeconfig, context, user_agent="kraut-operator", timeout_seconds=self._options.attempt_seconds
                ) as client:
                    await self._campaign(client)
                    return
            except KrautError as error:
                # The configuration cannot be used now: a token that is being replaced, a file that is not mounted yet.
                self._note(error)
                await self._pause()

    async def _campaign(self, client: KubeClient) -> None:
        """Try again and again, until the Lease is lost."""
        try:
            while await self._try_once(client):
                await self._pause()
        except asyncio.CancelledError:
            await self._release(client)
            raise

    async def _try_once(self, client: KubeClient) -> bool:
        """False when the Lease was held, and is lost."""
        started = time.monotonic()
        held = self._left() > 0 and await self._attempt(client)
        if not held:
            return self._renewed_at is None or not self._must_give_up()
        if self._renewed_at is None:
            log.info("leading", lease=self._options.name, identity=self._options.identity)
        self._renewed_at = started
        return True

    def _left(self) -> float:
        """Seconds in which the Lease must be renewed; without end while it is not held."""
        if self._renewed_at is None:
            return math.inf
        return self._renewed_at + self._options.renew_seconds - time.monotonic()

    def _must_give_up(self) -> bool:
        taken_by = self._sighting.record.holder if self._sighting is not None else ""
        other = taken_by not in ("", self._options.identity)
        left = self._left()
        if not other and left > 0:
            return False
        silent = self._options.renew_seconds - left
        reason = f"{taken_by} holds the Lease" if other else f"not renewed for {silent:.0f} s: {self.trouble}"
        self._renewed_at = None
        self._on_lost(reason)
        return True

    async def _attempt(self, client: KubeClient) -> bool:
        """Take or renew the Lease once; False when somebody else holds it or nothing can be said."""
        try:
            async with asyncio.timeout(min(self._options.attempt_seconds, self._left())):
                held = await self._take(client)
        except ConflictError:
            # Somebody else wrote it first; the next attempt reads who.
            return False
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, the lease runs out, and that is noticed
            self._note(error)
            return False
        self.trouble = None
        return held

    async def _take(self, client: KubeClient) -> bool:
        found = await self._read(client)
        self._sighting = see(found, self._sighting, time.monotonic())
        if not may_take(self._sighting, self._options.identity, time.monotonic()):
            return False
        wanted = taken(found, self._options.identity, self._options.lease_seconds, datetime.now(UTC))
        self._sighting = see(await self._write(client, wanted), self._sighting, time.monotonic())
        return True

    async def _read(self, client: KubeClient) -> LeaseRecord:
        try:
            return parse_lease(await client.get_raw(f"{self._path}/{segment(self._options.name)}"))
        except NotFoundError:
            return LeaseRecord()

    async def _write(self, client: KubeClient, record: LeaseRecord) -> LeaseRecord:
        manifest = lease_manifest(record, namespace=self._options.namespace, name=self._options.name)
        if not record.resource_version:
            return parse_lease(await client.post_raw(self._path, manifest))
        return parse_lease(await client.put_raw(f"{self._path}/{segment(self._options.name)}", manifest))

    async def _release(self, client: KubeClient) -> None:
        """Give the Lease back if it is ours, as it stands now: an attempt that was cut short may have written it all the same."""
        self._renewed_at = None
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                found = await self._read(client)
                if found.holder == self._options.identity:
                    await self._write(client, released(found))
        except Exception as error:  # noqa: BLE001 - it runs out by itself
            log.warning("lease not given back", error=str(error) or type(error).__name__)

    async def _pause(self) -> None:
        wanted = self._options.retry_seconds * random.uniform(1.0, JITTER)  # noqa: S311 - spreads load
        await asyncio.sleep(pause_seconds(wanted, self._left(), self._options.attempt_seconds))

    def _note(self, error: Exception) -> None:
        sentence = f"{type(error).__name__}: {error}"
        if self.trouble != sentence:
            log.warning("lease not taken", lease=self._options.name, error=sentence)
        self.trouble = sentence
