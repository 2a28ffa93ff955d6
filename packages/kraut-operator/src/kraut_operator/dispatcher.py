"""Sends what the queue gives: a bounded number of signals in flight, under one global rate, for as long as it takes."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

import structlog
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from kraut_core.contracts.reconcile import ReconcileRequest
from kraut_core.temporal.wake import wake_workflow
from kraut_operator.bucket import TokenBucket
from kraut_operator.controller import Controller
from kraut_operator.dispatch import Dispatch
from kraut_operator.entry import ObjectKey
from kraut_operator.metrics import OperatorMetrics

log = structlog.get_logger(__name__)

STANDBY_SECONDS = 0.1
SIGNAL_TIMEOUT = timedelta(seconds=10)
REFUSAL = RPCStatusCode.INVALID_ARGUMENT
"""Temporal's answer for one workflow, that took too many signals for example: it says nothing of the others, and shows that Temporal is
there."""


class Dispatcher:
    """Wakes workflows of one home cluster, while ``may_send`` says so."""

    def __init__(
        self,
        controller: Controller,
        client: Client,
        metrics: OperatorMetrics,
        *,
        home: str,
        concurrency: int,
        rate: float,
        may_send: Callable[[], bool] = lambda: True,
    ) -> None:
        self._trouble: tuple[ObjectKey, str] | None = None
        self._controller = controller
        self._client = client
        self._metrics = metrics
        self._home = home
        self._may_send = may_send
        self._free = asyncio.Semaphore(concurrency)
        self._bucket = TokenBucket(rate, burst=concurrency, clock=time.monotonic)

    @property
    def trouble(self) -> str | None:
        """Why Temporal did not take the last signal that failed; None once it took one, or that one is not needed any more."""
        if self._trouble is None or not self._controller.queue.has_failed(self._trouble[0]):
            return None
        return self._trouble[1]

    async def run(self) -> None:
        """Send for ever. On cancellation what is in flight is cancelled: the next leader compares and sends again."""
        async with asyncio.TaskGroup() as flight:
            while True:
                await self._free.acquire()
                key, dispatch = await self._next()
                await asyncio.sleep(self._bucket.reserve())
                flight.create_task(self._send(key, dispatch))

    async def _next(self) -> tuple[ObjectKey, Dispatch]:
        controller = self._controller
        while True:
            if not self._may_send():
                # Leadership is a matter of the clock, in another thread: there is nothing to await.
                await asyncio.sleep(STANDBY_SECONDS)
                continue
            controller.added.clear()
            popped = controller.queue.pop()
            if popped is None:
                await self._due()
                continue
            key, _, waited = popped
            self._metrics.queue_seconds.observe(waited)
            dispatch = controller.what_to_send(key)
            if dispatch is not None:
                return key, dispatch
            controller.queue.done(key)

    async def _due(self) -> None:
        try:
            async with asyncio.timeout(self._controller.queue.next_due()):
                await self._controller.added.wait()
        except TimeoutError:
            return

    async def _send(self, key: ObjectKey, dispatch: Dispatch) -> None:
        started = time.monotonic()
        try:
            await self._wake(key, dispatch)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one object must not stop the others
            self._failed(key, dispatch, error)
        else:
            self._sent(key, dispatch)
        finally:
            self._metrics.work_seconds.observe(time.monotonic() - started)
            self._controller.queue.done(key)
            self._controller.added.set()
            self._free.release()

    async def _wake(self, key: ObjectKey, dispatch: Dispatch) -> None:
        request = ReconcileRequest(uid=dispatch.uid, generation=dispatch.generation, reason=dispatch.reason)
        with self._metrics.dispatch_seconds.time():
            await wake_workflow(
                self._client,
                home=self._home,
                kind=key.kind,
                namespace=key.namespace,
                name=key.name,
                request=request,
                site=dispatch.site,
                rpc_timeout=SIGNAL_TIMEOUT,
            )

    def _sent(self, key: ObjectKey, dispatch: Dispatch) -> None:
        self._controller.sent(key, dispatch)
        self._metrics.dispatches.labels(key.kind, dispatch.reason).inc()
        log.debug("workflow woken", **key._asdict(), reason=dispatch.reason, generation=dispatch.generation)
        if self._trouble is not None:
            self._trouble = None
            log.info("Temporal takes signals again")

    def _failed(self, key: ObjectKey, dispatch: Dispatch, error: Exception) -> None:
        status = error.status if isinstance(error, RPCError) else None
        code = status.name if status is not None else type(error).__name__
        self._metrics.dispatch_failures.labels(code).inc()
        wait = self._controller.failed(key, dispatch)
        log.debug("workflow not woken", **key._asdict(), error=str(error), retry_seconds=wait)
        if status == REFUSAL:
            log.warning("Temporal refuses a signal", **key._asdict(), error=str(error), retry_seconds=wait)
            self._trouble = None
            return
        if self.trouble is None:
            log.warning("Temporal does not take signals", code=code, error=str(error))
        self._trouble = key, f"the last signal failed with {code}: {error}"
