"""Real hosts of a lab as Hosts of kraut: made once, told to update, told to rest, and waited for."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from bench import objects
from kraut_core.api.v1alpha1.host import Host
from kraut_core.kube import paths
from kraut_core.kube.client import KubeClient, as_kind
from kraut_lab.hosts.host import LabHost

LOOK_SECONDS = 0.5
"""Each look reads all Hosts, on the cores that are measured."""


class Fleet:
    """One Host per machine, in a namespace of its own."""

    def __init__(self, kube: KubeClient, namespace: str, machines: Sequence[LabHost], private_key: str) -> None:
        self._kube = kube
        self._namespace = namespace
        self._machines = machines
        self._key = private_key

    async def make(self) -> None:
        """Create the Hosts, which ask for nothing yet, and wait until each was looked at."""
        await objects.make_namespace(self._kube, self._namespace)
        secret = paths.core("secrets", self._namespace, objects.SECRET)
        await self._kube.patch_raw(secret, {"stringData": {"ssh-privatekey": self._key}})
        for machine in self._machines:
            await self._kube.post_raw(paths.collection(as_kind(Host), self._namespace), _manifest(machine))
        await self._wait(lambda host: _condition(host, "Ready") == "True")

    async def rest(self) -> None:
        """Only observe from now on."""
        await self._set("None")
        await self._wait(lambda host: _condition(host, "Reconciling") is None)

    async def update(self) -> float:
        """Ask for all updates; returns the seconds until every host says that nothing is left."""
        began = time.perf_counter()
        await self._set("All")
        # Until it is looked at again, a host says of the past that it was up to date.
        await self._wait(
            lambda host: _condition(host, "UpToDate") == "True" and _condition(host, "Reconciling") is None
        )
        return time.perf_counter() - began

    async def _set(self, updates: str) -> None:
        patch = {"spec": {"operatingSystem": {"updates": updates}}}
        path = [paths.item(as_kind(Host), self._namespace, machine.name) for machine in self._machines]
        await asyncio.gather(*(self._kube.patch_raw(one, patch) for one in path))

    async def _wait(self, reached: Callable[[Any], bool]) -> None:
        collection = paths.collection(as_kind(Host), self._namespace)
        while True:
            hosts = (await self._kube.get_raw(collection))["items"]
            if all(_answered(host) and reached(host) for host in hosts):
                return
            await asyncio.sleep(LOOK_SECONDS)


def _manifest(machine: LabHost) -> dict[str, Any]:
    return {
        "apiVersion": "kraut.dev/v1alpha1",
        "kind": "Host",
        "metadata": {"name": machine.name},
        "spec": {
            "address": machine.address,
            "port": machine.port,
            "user": "root",
            "hostKeys": [machine.host_key],
            "credentialsRef": {"name": objects.SECRET},
        },
    }


def _answered(host: Any) -> bool:
    return bool((host.get("status") or {}).get("observedGeneration") == host["metadata"]["generation"])


def _condition(host: Any, type_: str) -> str | None:
    found = (host.get("status") or {}).get("conditions", [])
    return next((condition["status"] for condition in found if condition["type"] == type_), None)
