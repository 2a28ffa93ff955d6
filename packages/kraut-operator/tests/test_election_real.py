"""Replicas of the operator and their Lease, on a real kube-apiserver and a real Temporal."""

import asyncio
import itertools
import re
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from temporalio.client import Client

from kraut_core.api.v1alpha1.host import Host
from kraut_core.errors import NotFoundError
from kraut_core.kube import paths
from kraut_core.kube.client import KubeClient, as_kind
from kraut_core.kube.testing import FaultProxy, point_kubeconfig
from kraut_operator.testing.cluster import (
    LEASES,
    answer,
    create_host,
    create_secret,
    release_lease,
    shorten_lease,
    signals,
    wait_for_signals,
)
from kraut_operator.testing.process import OperatorProcess

if TYPE_CHECKING:
    from kraut_lab.controlplane import ControlPlane

pytestmark = pytest.mark.integration

LEASE = f"{LEASES}/kraut-operator"
QUICK = {
    "KRAUT_OPERATOR_LEADER_ELECTION": "true",
    "KRAUT_OPERATOR_LEASE_SECONDS": "4",
    "KRAUT_OPERATOR_RENEW_SECONDS": "3",
    "KRAUT_OPERATOR_RETRY_SECONDS": "1",
}
PATIENT = {**QUICK, "KRAUT_OPERATOR_LEASE_SECONDS": "120", "KRAUT_OPERATOR_RENEW_SECONDS": "100"}
"""Of replicas that are to stay: a quick leader ends itself when it, the API server or the whole machine stands still for 3 s."""
STOOD_STILL = re.compile(r"not renewed for \d\d? s")
"""Why a quick leader ends when time really passed; a clock that is set makes it thousands of seconds."""
RELEASE_SECONDS = 3.0


@pytest.fixture
async def free_lease(kube: KubeClient) -> None:
    """No replica of an earlier test holds the Lease."""
    await release_lease(kube)


class Replicas:
    """Some operators with the same settings, patient unless told otherwise."""

    def __init__(self, stack: AsyncExitStack, settings: dict[str, str], folder: Path) -> None:
        self._stack = stack
        self._settings = {**settings, **PATIENT}
        self._logs = (folder / f"log-{number}" for number in itertools.count())
        self._started: list[OperatorProcess] = []

    async def start(
        self, *, ready: bool = True, program: Sequence[str] = ("-m", "kraut_operator"), **more: str
    ) -> OperatorProcess:
        running = OperatorProcess.running({**self._settings, **more}, next(self._logs), program=program)
        operator = await self._stack.enter_async_context(running)
        self._started.append(operator)
        if ready:
            await operator.ready()
        return operator

    async def kill(self) -> None:
        """All that still run."""
        for operator in self._started:
            if operator.process.returncode is None:
                await operator.kill()


@pytest.fixture
async def replicas(free_lease: None, settings: dict[str, str], tmp_path: Path) -> AsyncIterator[Replicas]:
    async with AsyncExitStack() as stack:
        yield Replicas(stack, settings, tmp_path)


async def holder(kube: KubeClient) -> dict[str, Any]:
    spec: dict[str, Any] = (await kube.get_raw(LEASE))["spec"]
    return spec


async def leading(operator: OperatorProcess) -> None:
    await operator.until(lambda: bool(operator.logged("leading")), "leads")


async def test_a_standby_is_warm_and_silent_and_takes_over_from_a_killed_leader(
    kube: KubeClient, temporal: Client, home: str, replicas: Replicas
) -> None:
    first = await replicas.start()
    await leading(first)
    second = await replicas.start()
    await create_host(kube, home, "one")
    await wait_for_signals(temporal, home, "Host", home, "one", "Initial", repeats=True)
    assert [await each.metric("leader_election_master_status") for each in (first, second)] == [1, 0]
    assert await second.metric("kraut_dispatches_total") == 0
    await first.kill()
    await shorten_lease(kube)
    await create_host(kube, home, "two")
    await leading(second)
    await wait_for_signals(temporal, home, "Host", home, "two", "Initial", repeats=True)
    assert (await holder(kube))["leaseTransitions"] == 1


async def test_a_failover_over_answered_hosts_wakes_nobody(
    kube: KubeClient, temporal: Client, home: str, replicas: Replicas
) -> None:
    """What the leader dispatched and the standby saw come and be answered is not in the standby's queue any more."""
    secret = await create_secret(kube, home, "key")
    for number in range(50):
        await answer(kube, await create_host(kube, home, f"h{number}"), secret)
    first = await replicas.start()
    await leading(first)
    second = await replicas.start()
    await kube.patch_raw(paths.item(as_kind(Host), home, "h7"), {"spec": {"paused": True}})
    await wait_for_signals(temporal, home, "Host", home, "h7", "Spec", repeats=True)
    await answer(kube, await kube.get(Host, home, "h7"), secret)
    await first.kill()
    await shorten_lease(kube)
    await leading(second)
    # what comes after everything that the failover could have caused
    await create_host(kube, home, "last")
    await wait_for_signals(temporal, home, "Host", home, "last", "Initial", repeats=True)
    assert await second.metric_from(1, "kraut_dispatches_total") == 1
    assert await signals(temporal, home, "Host", home, "h0") == []


async def test_a_leader_that_is_told_to_stop_gives_the_lease_back(kube: KubeClient, replicas: Replicas) -> None:
    for _ in range(3):
        first = await replicas.start()
        await leading(first)
        began = asyncio.get_running_loop().time()
        assert await first.terminate() == 0
        given_back = await holder(kube)
        if not given_back.get("holderIdentity") or asyncio.get_running_loop().time() - began < RELEASE_SECONDS:
            break
        # It stood still for longer than it tries to give the Lease back.
        await release_lease(kube)
    assert (given_back.get("holderIdentity", ""), given_back["leaseDurationSeconds"]) == ("", 1)


@pytest.mark.fault(row=2, fault="operator SIGSTOP past its Lease, then CONT", invariants=("I2",))
async def test_a_leader_that_slept_past_its_lease_ends_itself(
    kube: KubeClient, temporal: Client, home: str, replicas: Replicas
) -> None:
    first = await replicas.start(KRAUT_OPERATOR_LEASE_SECONDS="25", KRAUT_OPERATOR_RENEW_SECONDS="20")
    await leading(first)
    second = await replicas.start()
    first.process.send_signal(signal.SIGSTOP)
    await leading(second)
    await create_host(kube, home, "h")
    await wait_for_signals(temporal, home, "Host", home, "h", "Initial", repeats=True)
    first.process.send_signal(signal.SIGCONT)
    async with asyncio.timeout(150):
        assert await first.process.wait() == 1
    assert first.logged("leadership lost")
    assert second.process.returncode is None


async def test_a_leader_whose_renewals_get_no_answer_ends_itself(
    kube: KubeClient, temporal: Client, home: str, replicas: Replicas, control_plane: "ControlPlane", tmp_path: Path
) -> None:
    """Every attempt has a timeout of its own: a connection that carries nothing is no reason to lead for ever."""
    async with FaultProxy.open(control_plane.url) as proxy:
        kubeconfig = point_kubeconfig(control_plane.kubeconfig("operator"), proxy.url, tmp_path / "kubeconfig")
        # Not waited for until it is ready: when it stands still before that it has lost the Lease, too.
        first = await replicas.start(ready=False, KRAUT_KUBE_KUBECONFIG=str(kubeconfig), **QUICK)
        await leading(first)
        second = await replicas.start()
        proxy.refusing = True
        proxy.blackhole()
        async with asyncio.timeout(150):
            assert await first.process.wait() == 1
        assert first.logged("leadership lost")
    await leading(second)
    await create_host(kube, home, "h")
    await wait_for_signals(temporal, home, "Host", home, "h", "Initial", repeats=True)


@pytest.mark.fault(row=2, fault="Lease deleted", invariants=("I2",))
async def test_a_lease_that_was_deleted_is_taken_again(kube: KubeClient, replicas: Replicas) -> None:
    first = await replicas.start()
    await leading(first)
    before = await holder(kube)
    await kube.transport.request("DELETE", LEASE)
    async with asyncio.timeout(150):
        while True:
            try:
                after = await holder(kube)
                break
            except NotFoundError:
                await asyncio.sleep(0.1)
    assert after["holderIdentity"] == before["holderIdentity"]
    assert first.process.returncode is None


async def test_a_lease_that_somebody_else_took_ends_the_leader(kube: KubeClient, replicas: Replicas) -> None:
    first = await replicas.start()
    await leading(first)
    await kube.patch_raw(LEASE, {"spec": {"holderIdentity": "somebody-else", "leaseDurationSeconds": 60}})
    async with asyncio.timeout(150):
        assert await first.process.wait() == 1
    [lost] = first.logged("leadership lost")
    assert "somebody-else" in lost["reason"]


STEPPING = """
import itertools, sys, time
import kraut_operator.election as election
from datetime import datetime, timedelta
days, looks, real = int(sys.argv.pop()), itertools.count(1), time.time
class Stepping(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + timedelta(days=days * (next(looks) % 1000))
election.datetime = Stepping
time.time = lambda: real() + 86400 * days * (next(looks) % 1000)
from kraut_operator.__main__ import main
main()
"""
"""kraut-operator on a machine whose wall clock is set, by so many days each time that anybody looks at it."""


@pytest.mark.parametrize(("leaders", "standbys"), [("1", "-1"), ("-1", "1")])
async def test_wall_clocks_that_are_set_move_no_lease(
    kube: KubeClient, replicas: Replicas, leaders: str, standbys: str
) -> None:
    """For three durations of the Lease the holder keeps it, whatever the standby's clock says of its times."""
    while True:
        first = await replicas.start(ready=False, program=("-c", STEPPING, leaders), **QUICK)
        try:
            await leading(first)
            second = await replicas.start(program=("-c", STEPPING, standbys), **QUICK)
            await assert_kept(kube, first, second)
            await first.kill()
            await leading(second)
        except AssertionError:
            if not await stood_still(first):
                raise
        else:
            return
        await replicas.kill()
        await release_lease(kube)


async def assert_kept(kube: KubeClient, first: OperatorProcess, second: OperatorProcess) -> None:
    before = await holder(kube)
    renewals: set[str] = set()
    async with asyncio.timeout(120):
        while len(renewals) < 3 * int(QUICK["KRAUT_OPERATOR_LEASE_SECONDS"]):
            assert first.process.returncode is None
            renewals.add((await holder(kube))["renewTime"])
            await asyncio.sleep(0.05)
    assert [(await holder(kube))[name] for name in ("holderIdentity", "leaseTransitions")] == [
        before["holderIdentity"],
        before["leaseTransitions"],
    ]
    assert [each.process.returncode for each in (first, second)] == [None, None]
    assert [await each.metric("leader_election_master_status") for each in (first, second)] == [1, 0]


async def stood_still(leader: OperatorProcess) -> bool:
    """Whether the leader lost the Lease since it was not renewed in time, by the time that really passed."""
    with suppress(TimeoutError):
        async with asyncio.timeout(60):
            await leader.process.wait()
    return any(STOOD_STILL.match(lost["reason"]) for lost in leader.logged("leadership lost"))


async def test_without_rights_to_the_lease_it_stays_a_standby_and_says_so(kube: KubeClient, replicas: Replicas) -> None:
    path = "/apis/rbac.authorization.k8s.io/v1/namespaces/kraut-system/rolebindings"
    binding = await kube.get_raw(f"{path}/kraut-operator")
    await kube.transport.request("DELETE", f"{path}/kraut-operator")
    try:
        operator = await replicas.start(ready=False)
        await operator.until(lambda: bool(operator.logged("lease not taken")), "is refused")
        readyz = await operator.readyz()
        assert "[-]lease failed: ForbiddenError" in readyz
        assert await operator.metric("leader_election_master_status") == 0
    finally:
        await kube.post_raw(path, {**binding, "metadata": {"name": "kraut-operator"}})
    await leading(operator)
    await operator.ready()
