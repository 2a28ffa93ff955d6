"""The operator with kinds that only this test declares, whose CRDs do not exist when it starts."""

import asyncio
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from temporalio.client import Client

from kraut_core.crd.definition import definition
from kraut_core.kube import paths
from kraut_core.kube.client import KubeClient
from kraut_core.settings import HomeSettings, KubeSettings, ProbeSettings, TemporalSettings
from kraut_operator.process import Operator
from kraut_operator.settings import OperatorProcessSettings, OperatorSettings
from kraut_operator.testing.cluster import wait_for_signals
from kraut_operator.testing.kinds import KINDS, MEMBER, POOL, TASK

if TYPE_CHECKING:
    from kraut_lab.controlplane import ControlPlane
    from kraut_lab.temporal import TemporalServer

pytestmark = pytest.mark.integration

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@asynccontextmanager
async def running(home: str, kubeconfig: Path, temporal: str) -> AsyncIterator[Operator]:
    settings = OperatorProcessSettings(
        operator=OperatorSettings(namespaces=home, leader_election=False),
        home=HomeSettings(id=home),
        kube=KubeSettings(kubeconfig=kubeconfig),
        temporal=TemporalSettings(address=temporal),
        probe=ProbeSettings(host="127.0.0.1", port=0),
    )
    operator, stopping = Operator(settings, KINDS), asyncio.Event()
    task = asyncio.create_task(operator.run(stopping))
    try:
        yield operator
    finally:
        stopping.set()
        await task


@pytest.fixture
async def definitions(kube: KubeClient) -> AsyncIterator[None]:
    """The CRDs of the test's kinds, absent before and after."""
    yield
    for kind in KINDS:
        await kube.transport.request("DELETE", f"{CRDS}/{kind.crd_name}")


async def create(kube: KubeClient, namespace: str, kind: Any, name: str, spec: Any, **metadata: Any) -> dict[str, Any]:
    manifest = {
        "apiVersion": "kraut.dev/v1alpha1",
        "kind": kind.name,
        "metadata": {"name": name, **metadata},
        "spec": spec,
    }
    created: dict[str, Any] = await kube.post_raw(paths.collection(kind, namespace), manifest)
    return created


async def answer_pool(kube: KubeClient, namespace: str, name: str, *members: dict[str, Any]) -> None:
    seen = [
        {
            "kind": member["kind"],
            "name": member["metadata"]["name"],
            "uid": member["metadata"]["uid"],
            "version": str(member["metadata"]["generation"]),
        }
        for member in members
    ]
    path = paths.item(POOL, namespace, name)
    generation = (await kube.get_raw(path))["metadata"]["generation"]
    await kube.patch_raw(f"{path}/status", {"status": {"observedGeneration": generation, "observedReferences": seen}})


async def test_labels_owners_and_definitions_that_come_later(
    kube: KubeClient,
    temporal: Client,
    home: str,
    control_plane: "ControlPlane",
    temporal_server: "TemporalServer",
    definitions: None,
) -> None:
    async with running(home, control_plane.kubeconfig(), temporal_server.address) as operator:
        async with asyncio.timeout(250):
            while "HTTP 404" not in (readyz := await _readyz(operator)):
                await asyncio.sleep(0.05)
        assert "[-]watches failed" in readyz
        for kind in KINDS:
            await kube.post_raw(CRDS, definition(kind))
        async with asyncio.timeout(250):
            while not (await _readyz(operator)).endswith("\nok\n"):
                await asyncio.sleep(0.05)

        await create(kube, home, POOL, "east", {"selector": {"matchLabels": {"zone": "east"}}})
        woken = ["Initial"]
        await wait_for_signals(temporal, home, "Pool", home, "east", *woken)
        await answer_pool(kube, home, "east")

        await create(kube, home, MEMBER, "west", {}, labels={"zone": "west"})
        member = await create(kube, home, MEMBER, "m", {}, labels={"zone": "east"})
        woken.append("Reference")
        await wait_for_signals(temporal, home, "Pool", home, "east", *woken)
        await answer_pool(kube, home, "east", member)

        await kube.patch_raw(paths.item(MEMBER, home, "m"), {"metadata": {"labels": {"zone": "west"}}})
        woken.append("Reference")
        await wait_for_signals(temporal, home, "Pool", home, "east", *woken)
        await answer_pool(kube, home, "east")

        pool = await kube.get_raw(paths.item(POOL, home, "east"))
        owner = {"apiVersion": pool["apiVersion"], "kind": "Pool", "name": "east", "uid": pool["metadata"]["uid"]}
        await create(kube, home, TASK, "t", {}, ownerReferences=[{**owner, "controller": True}])
        woken.append("Owned")
        await wait_for_signals(temporal, home, "Pool", home, "east", *woken)


async def _readyz(operator: Operator) -> str:
    port = operator.probe_port
    return await asyncio.to_thread(_fetch, f"http://127.0.0.1:{port}/readyz") if port else ""


def _fetch(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=120) as answer:
            return str(answer.read().decode())
    except urllib.request.HTTPError as error:
        with error:
            return error.read().decode()
