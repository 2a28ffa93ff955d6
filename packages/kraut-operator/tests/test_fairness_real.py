"""A flood of routine work and a person who waits, on a real kube-apiserver and a real Temporal."""

import asyncio
from pathlib import Path

import pytest
from temporalio.client import Client

from kraut_core.api.v1alpha1.host import Host
from kraut_core.kube import paths
from kraut_core.kube.client import KubeClient, as_kind
from kraut_operator.testing.cluster import answer, create_host, create_secret, wait_for_signals
from kraut_operator.testing.process import OperatorProcess

pytestmark = pytest.mark.integration

FLOOD = 300
RATE = 20


async def test_a_person_is_heard_while_hundreds_wait_and_all_of_those_are_heard_in_the_end(
    kube: KubeClient, temporal: Client, home: str, settings: dict[str, str], tmp_path: Path
) -> None:
    """At its start the operator finds hundreds of Hosts that nobody answered, and may send only so many per second."""
    secret = await create_secret(kube, home, "key")
    await answer(kube, await create_host(kube, home, "person"), secret)
    await asyncio.gather(*(create_host(kube, home, f"flood-{number}") for number in range(FLOOD)))
    settings = {**settings, "KRAUT_OPERATOR_DISPATCH_RATE": str(RATE)}
    async with OperatorProcess.running(settings, tmp_path / "log") as operator:
        await operator.ready()
        await kube.patch_raw(paths.item(as_kind(Host), home, "person"), {"spec": {"paused": True}})
        await wait_for_signals(temporal, home, "Host", home, "person", "Spec")
        assert await operator.metric("kraut_dispatches_total") < FLOOD / 2

        async with asyncio.timeout(120):
            while await operator.metric("kraut_dispatches_total") < FLOOD + 1:
                await asyncio.sleep(0.2)
    for number in (0, FLOOD // 2, FLOOD - 1):
        await wait_for_signals(temporal, home, "Host", home, f"flood-{number}", "Initial")
