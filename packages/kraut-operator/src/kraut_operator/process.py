"""The operator's parts, put together: watch at once, wake workflows while leading, end when told to or when broken."""

import asyncio
import logging
import os
import socket
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from importlib.metadata import version
from typing import Any, NoReturn

import structlog

from kraut_core.api.kinds import Kind, all_kinds
from kraut_core.errors import KrautError
from kraut_core.instruments import Instruments
from kraut_core.kube.client import KubeClient
from kraut_core.kube.stream import Stream
from kraut_core.metrics import new_registry
from kraut_core.probes import Probes
from kraut_core.running import run_until
from kraut_core.temporal.connection import connect
from kraut_operator.cache import Cache
from kraut_operator.controller import Controller
from kraut_operator.dispatcher import Dispatcher
from kraut_operator.election import Election, ElectionOptions
from kraut_operator.entry import Entry
from kraut_operator.informers import Informer, check_informers, make_informers, run_informers
from kraut_operator.lease import attempt_seconds
from kraut_operator.metrics import OperatorMetrics
from kraut_operator.settings import OperatorProcessSettings

log = structlog.get_logger(__name__)

COMPONENT = "kraut-operator"
HOME_RETRY_SECONDS = 2.0


class Operator:
    """One operator process. ``kinds`` are all of kraut's unless a test has others; ``probe_port`` is 0 before it listens."""

    def __init__(
        self,
        settings: OperatorProcessSettings,
        kinds: Sequence[Kind] | None = None,
        instruments: Instruments | None = None,
    ) -> None:
        self._settings = settings
        self._instruments = instruments or Instruments()
        self._kinds = all_kinds() if kinds is None else kinds
        self._registry = new_registry(component=COMPONENT, version=version(COMPONENT))
        self._metrics = OperatorMetrics(self._registry)
        self._cache = Cache(self._kinds)
        self._controller = Controller(self._kinds, self._cache, self._metrics)
        self._identity = f"{socket.gethostname()}_{uuid.uuid4()}"
        self._server = ""
        self.probe_port = 0
        self._home_trouble: str | None = "the home cluster's id is not known yet"
        self._dispatcher: Dispatcher | None = None
        self._election = self._make_election()

    async def run(self, stopping: asyncio.Event) -> None:
        """Run until ``stopping``. Raises KrautError when the configuration cannot be used; a lost Lease ends the process."""
        async with AsyncExitStack() as stack:
            probes = await stack.enter_async_context(Probes(self._settings.probe, self._registry))
            kube = self._instruments.kube(await stack.enter_async_context(self._connect()))
            self._server, self.probe_port = kube.server, probes.port
            informers = make_informers(kube, self._kinds, namespaces=self._namespaces(), metrics=self._metrics)
            self._add_checks(probes, informers)
            self._count(informers)
            if self._election is not None:
                self._election.start()
                stack.push_async_callback(asyncio.to_thread, self._election.stop)
            log.info("started", identity=self._identity, port=probes.port, kinds=[kind.name for kind in self._kinds])
            await run_until(
                stopping,
                run_informers(informers, self._cache, self._controller),
                self._resync(),
                self._dispatch(kube, informers),
            )
        log.info("stopped")

    def _connect(self) -> Any:
        kube = self._settings.kube
        return KubeClient.connect(
            str(kube.kubeconfig) if kube.kubeconfig else None,
            kube.context,
            user_agent=f"{COMPONENT}/{version(COMPONENT)}",
            observe=self._metrics.observe_requests(lambda: self._server),
        )

    def _namespaces(self) -> list[str]:
        return list(dict.fromkeys(name for name in self._settings.operator.namespaces.split(",") if name))

    def _make_election(self) -> Election | None:
        operator, kube = self._settings.operator, self._settings.kube
        if not operator.leader_election:
            return None
        options = ElectionOptions(
            namespace=operator.lease_namespace,
            name=operator.lease_name,
            identity=self._identity,
            lease_seconds=operator.lease_seconds,
            renew_seconds=operator.renew_seconds,
            retry_seconds=operator.retry_seconds,
            attempt_seconds=attempt_seconds(operator.renew_seconds),
        )
        return Election(
            options,
            kubeconfig=str(kube.kubeconfig) if kube.kubeconfig else None,
            context=kube.context,
            on_lost=_die,
        )

    def _leads(self) -> bool:
        return self._election is None or self._election.leads

    def _add_checks(self, probes: Probes, informers: Sequence[Informer]) -> None:
        probes.add_readiness("watches", lambda: check_informers(informers))
        probes.add_readiness("home", lambda: self._home_trouble)
        probes.add_readiness("temporal", lambda: self._dispatcher.trouble if self._dispatcher is not None else None)
        election = self._election
        if election is not None:
            probes.add_readiness("lease", lambda: election.trouble)

    def _count(self, informers: Sequence[Informer]) -> None:
        metrics, controller = self._metrics, self._controller
        metrics.queue_depth.set_function(lambda: len(controller.queue))
        metrics.unanswered.set_function(lambda: len(controller.ledger))
        metrics.leader.labels(self._settings.operator.lease_name).set_function(self._leads)
        for name in {informer.kind for informer in informers}:
            streams = [informer.stream for informer in informers if informer.kind == name]
            metrics.objects.labels(name).set_function(partial(_objects_in, streams))
            metrics.undecodable.labels(name).set_function(partial(_undecodable_in, streams))

    async def _resync(self) -> None:
        while True:
            started = asyncio.get_running_loop().time()
            await self._controller.compare(seconds=self._settings.operator.resync_seconds)
            self._metrics.resyncs.inc()
            # A few objects take less than the whole time.
            left = started + self._settings.operator.resync_seconds - asyncio.get_running_loop().time()
            await asyncio.sleep(max(1.0, left))

    async def _dispatch(self, kube: KubeClient, informers: Sequence[Informer]) -> None:
        settings = self._settings.operator
        home = self._settings.home.id or await self._find_home(kube)
        self._home_trouble = None
        self._dispatcher = Dispatcher(
            self._controller,
            await connect(
                self._settings.temporal,
                identity=f"{COMPONENT}@{self._identity}",
                lazy=True,
                interceptors=self._instruments.temporal,
            ),
            self._metrics,
            home=home,
            concurrency=settings.dispatch_concurrency,
            rate=settings.dispatch_rate,
            may_send=self._leads,
        )
        # An object seen before what it refers to would be sent twice: when it is read, and when that is.
        await asyncio.gather(*(informer.stream.settled.wait() for informer in informers))
        log.info("dispatching", home=home, temporal=self._settings.temporal.address)
        await self._dispatcher.run()

    async def _find_home(self, kube: KubeClient) -> str:
        while True:
            try:
                return await kube.cluster_uid()
            except KrautError as error:
                self._home_trouble = f"the uid of kube-system cannot be read: {error}"
                log.warning("home cluster not identified", error=str(error), retry_seconds=HOME_RETRY_SECONDS)
                await asyncio.sleep(HOME_RETRY_SECONDS)


def _objects_in(streams: Sequence[Stream[Entry]]) -> float:
    return sum(len(stream.objects) for stream in streams)


def _undecodable_in(streams: Sequence[Stream[Entry]]) -> float:
    return sum(stream.undecodable for stream in streams)


def _die(reason: str) -> NoReturn:
    # Called in the election's thread: nothing less makes sure that the loop, busy or stuck, sends nothing more.
    log.error("leadership lost", reason=reason)
    logging.shutdown()
    os._exit(1)
