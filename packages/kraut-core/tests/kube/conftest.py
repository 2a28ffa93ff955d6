"""Fixtures on a real control plane."""

import itertools
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from kraut_core.kube.client import KubeClient

if TYPE_CHECKING:
    from kraut_lab.controlplane import ControlPlane

_numbers = itertools.count()


@pytest.fixture
async def client(control_plane: "ControlPlane") -> AsyncIterator[KubeClient]:
    """The administrator's client."""
    async with KubeClient.connect(str(control_plane.kubeconfig()), user_agent="kraut-tests/1") as found:
        yield found


@pytest.fixture
async def namespace(client: KubeClient) -> str:
    """A namespace of the test's own."""
    name = f"kube-{next(_numbers)}"
    await client.post_raw("/api/v1/namespaces", {"metadata": {"name": name}})
    return name
