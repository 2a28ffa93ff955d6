"""Hosts of a realistic size, made by the thousand: what a cluster holds after kraut has run for a while."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from itertools import count
from typing import Any

import msgspec

from kraut_core.api.v1alpha1.host import Host
from kraut_core.errors import ConflictError
from kraut_core.kube import paths
from kraut_core.kube.client import KubeClient, as_kind
from kraut_core.kube.objects import Secret
from kraut_lab.controlplane import ControlPlane

SECRET = "ssh"
IN_FLIGHT = 48
_LONG_AGO = "2026-01-01T00:00:00Z"
_CHANGES = count()
_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "B" * 43


def connect(plane: ControlPlane) -> AbstractAsyncContextManager[KubeClient]:
    """The administrator's client."""
    return KubeClient.connect(str(plane.kubeconfig()), user_agent="kraut-bench", timeout_seconds=120)


async def make_namespace(kube: KubeClient, namespace: str) -> Secret:
    """A namespace with the Secret that its Hosts refer to; what exists is kept."""
    await _unless_there(kube.post_raw("/api/v1/namespaces", {"metadata": {"name": namespace}}))
    body = {"metadata": {"name": SECRET}, "stringData": {"password": "none"}}
    await _unless_there(kube.post_raw(paths.core("secrets", namespace), body))
    return await kube.get_secret(namespace, SECRET)


async def _unless_there(creation: Awaitable[Any]) -> None:
    try:
        await creation
    except ConflictError:
        return


async def populate(kube: KubeClient, namespace: str, numbers: Iterable[int], *, answered: bool = True) -> None:
    """Make the namespace and its Hosts ``h<number>``; ``answered`` ones have a status that answers everything."""
    secret = await make_namespace(kube, namespace)

    async def make(number: int) -> None:
        created = await kube.post_raw(paths.collection(as_kind(Host), namespace), _manifest(number))
        if answered:
            await _answer(kube, created, secret)

    await _many(make, numbers)


async def answer_all(kube: KubeClient, namespace: str, numbers: Iterable[int]) -> None:
    """Write statuses that answer the Hosts as they are now, as their workflows would."""
    secret = await kube.get_secret(namespace, SECRET)

    async def answer(number: int) -> None:
        path = paths.item(as_kind(Host), namespace, f"h{number}")
        await _answer(kube, await kube.get_raw(path), secret)

    await _many(answer, numbers)


def another_port() -> int:
    """One that no Host had before in this run: the same port again would be no change, and nobody would be woken."""
    return 1024 + next(_CHANGES) % 64_000


async def change_all(kube: KubeClient, namespace: str, numbers: Iterable[int]) -> None:
    """Change the spec of the Hosts, as people do: whatever the port was, it is another one now."""

    async def change(number: int) -> None:
        path = paths.item(as_kind(Host), namespace, f"h{number}")
        await kube.patch_raw(path, {"spec": {"port": another_port()}})

    await _many(change, numbers)


async def _many(do: Callable[[int], Awaitable[None]], numbers: Iterable[int]) -> None:
    left = iter(numbers)

    async def lane() -> None:
        for number in left:
            await do(number)

    async with asyncio.TaskGroup() as lanes:
        for _ in range(IN_FLIGHT):
            lanes.create_task(lane())


async def _answer(kube: KubeClient, host: Any, secret: Secret) -> None:
    metadata = host["metadata"]
    path = paths.item(as_kind(Host), metadata["namespace"], metadata["name"]) + "/status"
    await kube.put_raw(path, {**host, "status": _status(metadata, secret)})


def _manifest(number: int) -> dict[str, Any]:
    """Addresses are of TEST-NET-2 (RFC 5737): nothing answers there."""
    return {
        "apiVersion": "kraut.dev/v1alpha1",
        "kind": "Host",
        "metadata": {"name": f"h{number}", "labels": {"rack": f"r{number % 40}", "role": "compute"}},
        "spec": {
            "address": f"198.51.100.{number % 254 + 1}",
            "port": 22,
            "credentialsRef": {"name": SECRET},
            "hostKeys": [_KEY],
        },
    }


def _status(metadata: Any, secret: Secret) -> dict[str, Any]:
    generation = metadata["generation"]
    conditions = [
        {
            "type": kind,
            "status": "True",
            "observedGeneration": generation,
            "lastTransitionTime": _LONG_AGO,
            "reason": reason,
            "message": message,
        }
        for kind, reason, message in (("Ready", "Observed", "The host was reached and its facts were read."),)
    ]
    seen = {"kind": "Secret", "name": SECRET, "uid": secret.uid, "version": secret.resource_version}
    return {
        "observedGeneration": generation,
        "observedReferences": [seen],
        "conditions": conditions,
        "workflowID": f"bench/Host/{metadata['namespace']}/{metadata['name']}",
        "fencingToken": 2,
        "hostInfo": _HOST_INFO,
        "packages": {"pending": 0, "security": 0, "listsRefreshedAt": _LONG_AGO},
        "rebootRequired": False,
    }


_HOST_INFO = {
    "machineID": "0123456789abcdef0123456789abcdef",
    "systemUUID": "01234567-89ab-cdef-0123-456789abcdef",
    "bootID": "01234567-89ab-cdef-0123-456789abcdef",
    "kernelVersion": "6.1.0-40-amd64",
    "architecture": "amd64",
    "osImage": "Debian GNU/Linux 12 (bookworm)",
    "osID": "debian",
    "osVersion": "12",
    "osCodename": "bookworm",
}


async def stored_bytes(kube: KubeClient, namespace: str, number: int) -> int:
    """The size of a Host as the API server tells it, in JSON without blanks."""
    found = await kube.get_raw(paths.item(as_kind(Host), namespace, f"h{number}"))
    return len(msgspec.json.encode(found))
