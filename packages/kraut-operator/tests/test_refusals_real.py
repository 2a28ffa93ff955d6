"""Row 6: what stands before the API server refuses the operator's watches and its Lease, in every way that proxies have."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from temporalio.client import Client

from kraut_core.api.v1alpha1.host import Host
from kraut_core.kube.client import KubeClient
from kraut_lab.faults.apiproxy import LyingApiServer, Refusal
from kraut_operator.testing.cluster import LEASES, create_host, release_lease, shorten_lease, signals, wait_for_signals
from kraut_operator.testing.process import OperatorProcess

if TYPE_CHECKING:
    from kraut_lab.controlplane import ControlPlane

pytestmark = pytest.mark.integration

HOSTS = "/apis/kraut.dev/v1alpha1"
RENEW_SECONDS = "30"
"""A leader that stands still for as long, as this machine may, ends itself."""


def status(code: int) -> bytes:
    return json.dumps({"kind": "Status", "code": code, "message": f"told {code}"}).encode()


HTML = b"<html>planted in an error page</html>"
PAGE = (("Content-Type", "text/html"),)
REFUSED_IDENTITY = {
    "401": Refusal(401, status(401)),
    "403": Refusal(403, status(403)),
}
REFUSALS = {
    "429": Refusal(429, status(429), (("Content-Type", "application/json"), ("Retry-After", "1"))),
    "502 with a page": Refusal(502, HTML, PAGE),
    "200 with a page": Refusal(200, HTML, PAGE),
    "200 with nothing": Refusal(200, b"{}"),
}


@pytest.fixture
def proxy(control_plane: "ControlPlane") -> Iterator[LyingApiServer]:
    with LyingApiServer.in_front_of(control_plane) as proxy:
        yield proxy


@pytest.fixture
def behind(settings: dict[str, str], proxy: LyingApiServer, tmp_path: Path) -> dict[str, str]:
    """Settings of an operator that knows no other API server than the proxy."""
    return {**settings, "KRAUT_KUBE_KUBECONFIG": str(proxy.kubeconfig("operator", tmp_path))}


@pytest.mark.fault(row=6, fault="429", invariants=("I1",))
@pytest.mark.fault(row=6, fault="5xx", invariants=("I1",))
@pytest.mark.fault(row=6, fault="HTML bodies", invariants=("I1",))
@pytest.mark.fault(row=6, fault="401 then healed", invariants=("I1",))
@pytest.mark.fault(row=6, fault="403 then healed", invariants=("I1",))
@pytest.mark.parametrize("name", ["429", "502 with a page", "200 with a page", "401", "403"])
async def test_watches_that_are_refused_heal_and_nothing_is_missed(
    name: str,
    kube: KubeClient,
    temporal: Client,
    home: str,
    behind: dict[str, str],
    proxy: LyingApiServer,
    tmp_path: Path,
) -> None:
    async with OperatorProcess.running(behind, tmp_path / "log") as operator:
        await operator.ready()
        with ExitStack() as lies:
            refusal = (REFUSALS | REFUSED_IDENTITY)[name]
            told = [lies.enter_context(proxy.lies.refusing(path, refusal)) for path in watched(home)]
            proxy.cut_watches()
            await create_host(kube, home, "h")
            async with asyncio.timeout(250):
                while not all(each.times for each in told) or "[-]watches failed" not in await operator.readyz():
                    await asyncio.sleep(0.05)
        await wait_for_signals(temporal, home, "Host", home, "h", "Initial", repeats=True)
        await operator.ready()
        assert "planted" not in (tmp_path / "log").read_text()


@pytest.mark.fault(row=5, fault="repeated events", invariants=("I1", "I11"))
async def test_events_that_come_again_after_a_deletion_bring_nothing_back(
    kube: KubeClient, temporal: Client, home: str, behind: dict[str, str], proxy: LyingApiServer, tmp_path: Path
) -> None:
    """Asked of the operator itself: what it knows, and whom it wakes."""
    async with OperatorProcess.running(behind, tmp_path / "log") as operator:
        await operator.ready()
        with proxy.lies.repeating() as repeated:
            await create_host(kube, home, "h")
            await kube.patch_raw(f"{HOSTS}/namespaces/{home}/hosts/h", {"metadata": {"finalizers": ["kraut.dev/test"]}})
            await kube.delete(Host, home, "h")
            going = await kube.get(Host, home, "h")
            await kube.set_finalizers(Host, home, "h", going.metadata.resource_version, [])
            # what comes after everything that was told of the first
            await create_host(kube, home, "last")
            await wait_for_signals(temporal, home, "Host", home, "last", "Initial", repeats=True)
            assert repeated.times > 4
        assert await operator.metric("kraut_cached_objects", kind="Host") == 1
        told = [request.reason for request in await signals(temporal, home, "Host", home, "h")]
        assert told[-1] == "Deleted"


def watched(home: str) -> tuple[str, ...]:
    return f"{HOSTS}/namespaces/{home}", f"/api/v1/namespaces/{home}"


@pytest.mark.fault(row=6, fault="5xx", invariants=("I1",))
async def test_a_home_that_is_not_told_is_asked_for_again(
    kube: KubeClient, temporal: Client, home: str, behind: dict[str, str], proxy: LyingApiServer, tmp_path: Path
) -> None:
    del behind["KRAUT_HOME_ID"]
    with ExitStack() as lies:
        lies.enter_context(proxy.lies.refusing("/api/v1/namespaces/kube-system", REFUSALS["200 with nothing"]))
        operator = OperatorProcess.running(behind, tmp_path / "log")
        async with operator as process:
            await process.until(lambda: bool(process.logged("home cluster not identified")), "asks")
            lies.close()
            await process.ready()
            await create_host(kube, home, "h")
            await wait_for_signals(temporal, await kube.cluster_uid(), "Host", home, "h", "Initial", repeats=True)


@pytest.mark.fault(row=6, fault="429", invariants=("I1",))
@pytest.mark.fault(row=6, fault="5xx", invariants=("I1",))
@pytest.mark.fault(row=6, fault="HTML bodies", invariants=("I1",))
async def test_a_leader_survives_refusals_that_pass_and_ends_by_one_that_stays(
    kube: KubeClient,
    temporal: Client,
    home: str,
    settings: dict[str, str],
    behind: dict[str, str],
    proxy: LyingApiServer,
    tmp_path: Path,
) -> None:
    await release_lease(kube)
    election = {
        "KRAUT_OPERATOR_LEADER_ELECTION": "true",
        "KRAUT_OPERATOR_LEASE_SECONDS": "35",
        "KRAUT_OPERATOR_RENEW_SECONDS": RENEW_SECONDS,
        "KRAUT_OPERATOR_RETRY_SECONDS": "1",
    }
    first = OperatorProcess.running({**behind, **election}, tmp_path / "first")
    second = OperatorProcess.running({**settings, **election}, tmp_path / "second")
    async with first as leader:
        await leader.until(lambda: bool(leader.logged("leading")), "leads")
        before = await holder(kube)
        async with second as standby:
            await standby.ready()
            for number, refusal in enumerate(REFUSALS.values()):
                with proxy.lies.refusing(LEASES, refusal) as told:
                    while told.times == 0:
                        assert leader.process.returncode is None
                        await asyncio.sleep(0.05)
                await create_host(kube, home, f"h{number}")
                await wait_for_signals(temporal, home, "Host", home, f"h{number}", "Initial", repeats=True)
                assert (await holder(kube), leader.process.returncode) == (before, None)
                assert await standby.metric("kraut_dispatches_total") == 0
            with proxy.lies.refusing(LEASES, REFUSALS["200 with a page"]):
                async with asyncio.timeout(150):
                    assert await leader.process.wait() == 1
                [lost] = leader.logged("leadership lost")
                assert "expected JSON" in lost["reason"]
                await shorten_lease(kube)
                await standby.until(lambda: bool(standby.logged("leading")), "leads")
                await create_host(kube, home, "last")
                await wait_for_signals(temporal, home, "Host", home, "last", "Initial", repeats=True)
                assert await holder(kube) != before


async def holder(kube: KubeClient) -> Any:
    return (await kube.get_raw(f"{LEASES}/kraut-operator"))["spec"]["holderIdentity"]
