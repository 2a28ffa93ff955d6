"""Fixtures on a real control plane and a real Temporal."""

import itertools
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from temporalio.client import Client

from kraut_core.kube.client import KubeClient
from kraut_core.settings import TemporalSettings
from kraut_core.temporal.connection import connect

if TYPE_CHECKING:
    from kraut_lab.controlplane import ControlPlane
    from kraut_lab.temporal import TemporalServer

_numbers = itertools.count()


@pytest.fixture
async def kube(control_plane: "ControlPlane") -> AsyncIterator[KubeClient]:
    """The administrator's client."""
    async with KubeClient.connect(str(control_plane.kubeconfig()), user_agent="kraut-tests/1") as client:
        yield client


@pytest.fixture
async def home(kube: KubeClient) -> str:
    """The id of a home cluster, and a namespace of that name: each test has its own."""
    name = f"operator-{next(_numbers)}"
    await kube.post_raw("/api/v1/namespaces", {"metadata": {"name": name}})
    return name


@pytest.fixture
async def temporal(temporal_server: "TemporalServer") -> Client:
    """A client of Temporal."""
    return await connect(TemporalSettings(address=temporal_server.address))


@pytest.fixture
def settings(home: str, control_plane: "ControlPlane", temporal_server: "TemporalServer") -> dict[str, str]:
    """Settings of an operator that watches the test's namespace with the identity that the operator is shipped with."""
    return {
        "KRAUT_KUBE_KUBECONFIG": str(control_plane.kubeconfig("operator")),
        "KRAUT_TEMPORAL_ADDRESS": temporal_server.address,
        "KRAUT_HOME_ID": home,
        "KRAUT_OPERATOR_NAMESPACES": home,
        "KRAUT_OPERATOR_LEADER_ELECTION": "false",
    }
