"""A flood of routine work, people who wait, and a key that always fails, on a real kube-apiserver and a real Temporal."""

import asyncio
import itertools
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, Interceptor, OutboundInterceptor, StartWorkflowInput, WorkflowHandle

from kraut_core.api.v1alpha1.host import Host
from kraut_core.instruments import Instruments
from kraut_core.kube import paths
from kraut_core.kube.client import KubeClient, as_kind
from kraut_core.settings import HomeSettings, KubeSettings, ProbeSettings, TemporalSettings
from kraut_operator.process import Operator
from kraut_operator.queue import OLDEST_EVERY
from kraut_operator.settings import OperatorProcessSettings, OperatorSettings
from kraut_operator.testing.cluster import (
    answer,
    create_host,
    create_secret,
    release_lease,
    somebody_else_leads,
    wait_for_signals,
)
from kraut_operator.testing.process import OperatorProcess

pytestmark = pytest.mark.integration

FLOOD = 100
RATE = 10
AT_ONCE = 4


def assert_rate(operator: OperatorProcess) -> None:
    """Of all signals together no more than the rate were taken per second since dispatching began, but for the few at once."""
    [began] = [moment(found) for found in operator.logged("dispatching")]
    for number, found in enumerate(operator.logged("workflow woken"), start=1):
        # A millisecond is what the log's time may be cut by.
        assert number <= AT_ONCE + RATE * (moment(found) - began + 0.001), f"signal {number} came too early"


def moment(found: dict[str, Any]) -> float:
    return datetime.fromisoformat(found["timestamp"]).timestamp()


async def test_a_person_is_heard_while_a_hundred_wait_and_all_of_those_are_heard_in_the_end(
    kube: KubeClient, temporal: Client, home: str, settings: dict[str, str], tmp_path: Path
) -> None:
    """At its start the operator finds a hundred Hosts that nobody answered, and may send only so many per second."""
    secret = await create_secret(kube, home, "key")
    await asyncio.gather(*(create_host(kube, home, f"flood-{number}") for number in range(FLOOD)))
    settings |= {"KRAUT_OPERATOR_DISPATCH_RATE": str(RATE), "KRAUT_OPERATOR_DISPATCH_CONCURRENCY": str(AT_ONCE)}
    for number in itertools.count():
        person = f"person-{number}"
        await answer(kube, await create_host(kube, home, person), secret)
        async with OperatorProcess.running(settings, tmp_path / f"log-{number}") as operator:
            await operator.ready()
            before = await operator.metric("workqueue_adds_total")
            await kube.patch_raw(paths.item(as_kind(Host), home, person), {"spec": {"paused": True}})
            async with asyncio.timeout(120):
                while await operator.metric("workqueue_adds_total") == before:
                    await asyncio.sleep(0.01)
            woken_before = len(operator.logged("workflow woken"))
            if woken_before >= FLOOD / 2:
                # Whoever asks, or who tells of it, stood still until the flood was nearly over: begun anew, with another person.
                await answer(kube, await kube.get(Host, home, person), secret)
                continue
            await wait_for_signals(temporal, home, "Host", home, person, "Spec", repeats=True)
            async with asyncio.timeout(120):
                while await operator.metric("kraut_dispatches_total") < FLOOD + 1:
                    await asyncio.sleep(0.2)
            order = [found["name"] for found in operator.logged("workflow woken")]
            assert order.index(person) < woken_before + FLOOD / 4
            assert_rate(operator)
            break
    for number in (0, FLOOD // 2, FLOOD - 1):
        await wait_for_signals(temporal, home, "Host", home, f"flood-{number}", "Initial", repeats=True)


async def test_what_nobody_asked_for_has_its_share_while_people_keep_asking(
    kube: KubeClient, temporal: Client, home: str, settings: dict[str, str], tmp_path: Path
) -> None:
    """All of it waits at once, since the Lease is somebody else's at first; then one signal is in flight at a time."""
    secret = await create_secret(kube, home, "key")
    routine, urgent = [f"routine-{number}" for number in range(6)], [f"person-{number}" for number in range(50)]

    async def make_answered(name: str) -> None:
        await answer(kube, await create_host(kube, home, name), secret)

    await asyncio.gather(*map(make_answered, urgent), *(create_host(kube, home, name) for name in routine))
    more = {
        "KRAUT_OPERATOR_LEADER_ELECTION": "true",
        # Whatever stands still for a while costs it no Lease.
        "KRAUT_OPERATOR_LEASE_SECONDS": "240",
        "KRAUT_OPERATOR_RENEW_SECONDS": "200",
        "KRAUT_OPERATOR_DISPATCH_CONCURRENCY": "1",
    }
    running = OperatorProcess.running({**settings, **more}, tmp_path / "log")
    async with somebody_else_leads(kube), running as operator:
        await operator.ready()
        hosts = [paths.item(as_kind(Host), home, name) for name in urgent]
        await asyncio.gather(*(kube.patch_raw(host, {"spec": {"paused": True}}) for host in hosts))
        while await operator.metric("workqueue_adds_total") < len(routine) + len(urgent):
            await asyncio.sleep(0.1)
        await release_lease(kube)

        def order() -> list[str]:
            return list(dict.fromkeys(found["name"] for found in operator.logged("workflow woken")))

        await operator.until(lambda: len(order()) == len(routine) + len(urgent), "wakes everybody", seconds=150)
        woken = order()
    assert set(woken[: OLDEST_EVERY - 1]) <= set(urgent)
    places = sorted(woken.index(name) + 1 for name in routine)
    assert all(place <= OLDEST_EVERY * number for number, place in enumerate(places, start=1))


class Refused(Interceptor):
    """Temporal refuses to start the workflow of one Host, since its task queue's name is too long; until ``healed``."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.times: list[float] = []
        self.healed = False

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002 (the SDK's name)
        return _Refused(next, self)


class _Refused(OutboundInterceptor):
    def __init__(self, next_: OutboundInterceptor, refused: Refused) -> None:
        super().__init__(next_)
        self._refused = refused

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:  # noqa: A002
        if input.id.endswith(f"/{self._refused.host}") and not self._refused.healed:
            self._refused.times.append(asyncio.get_running_loop().time())
            input.task_queue = "q" * 2000
        return await super().start_workflow(input)


async def test_a_key_that_always_fails_delays_no_other_and_is_tried_again_less_and_less_often(
    kube: KubeClient, temporal: Client, home: str, settings: dict[str, str]
) -> None:
    refused = Refused("bad")
    parts = OperatorProcessSettings(
        operator=OperatorSettings(namespaces=home, leader_election=False, dispatch_concurrency=2),
        home=HomeSettings(id=home),
        kube=KubeSettings(kubeconfig=Path(settings["KRAUT_KUBE_KUBECONFIG"])),
        temporal=TemporalSettings(address=settings["KRAUT_TEMPORAL_ADDRESS"]),
        probe=ProbeSettings(host="127.0.0.1", port=0),
    )
    stopping = asyncio.Event()
    async with asyncio.timeout(240), asyncio.TaskGroup() as group:
        group.create_task(Operator(parts, instruments=Instruments(temporal=[refused])).run(stopping))
        await create_host(kube, home, "bad")
        for number in range(30):
            await create_host(kube, home, f"good-{number}")
        for number in range(30):
            await wait_for_signals(temporal, home, "Host", home, f"good-{number}", "Initial", repeats=True)
        while len(refused.times) < 6:
            await asyncio.sleep(0.05)
        await create_host(kube, home, "later")
        await wait_for_signals(temporal, home, "Host", home, "later", "Initial", repeats=True)
        assert refused.times[-1] - refused.times[0] >= sum(0.05 * 2**number / 2 for number in range(5))
        refused.healed = True
        await wait_for_signals(temporal, home, "Host", home, "bad", "Initial", repeats=True)
        stopping.set()
