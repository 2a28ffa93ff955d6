"""Thousands of Hosts that people keep changing."""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from kraut_core.api.v1alpha1.host import Host
from kraut_core.errors import ConflictError, KrautError, NotFoundError
from kraut_core.kube import paths
from kraut_core.kube.client import KubeClient, as_kind

IN_FLIGHT = 32
HOSTS_PER_SECRET = 20


class Crowd:
    """``size`` Hosts of a namespace; twenty of them share a Secret. One that is deleted never comes again: another does, of another name."""

    def __init__(self, kube: KubeClient, namespace: str, size: int, *, seed: int) -> None:
        self.changes = 0
        self.size = size
        self._kube = kube
        self._namespace = namespace
        self._draw = random.Random(seed)  # noqa: S311 - to be the same again, not to be unguessable
        self._numbers = itertools.count(1)
        self._names = [f"h{number}" for number in range(size)]

    def name(self, number: int) -> str:
        """What the Host of a place is called now."""
        return self._names[number]

    async def create(self) -> None:
        """Make Secrets and Hosts; each Host is born answered, as after a restart of the operator."""
        for number in range(-(-self.size // HOSTS_PER_SECRET)):
            body = {"metadata": {"name": f"s{number}"}, "stringData": {"password": "none"}}
            await self._kube.post_raw(paths.core("secrets", self._namespace), body)
        await _many(self._create_answered, range(self.size))

    async def change_something(self) -> None:
        """One change by a person: mostly a spec, at times a request, a deletion, a Secret of twenty."""
        number = self._draw.randrange(self.size)
        change = self._draw.choices((self._edit, self._request, self._replace, self._edit_secret), (70, 20, 9, 1))[0]
        try:
            await change(number)
        except (NotFoundError, ConflictError):
            return
        self.changes += 1

    async def unanswered(self) -> list[str]:
        """Names of the Hosts whose status does not answer what they are now."""
        secrets = {}
        for number in range(-(-self.size // HOSTS_PER_SECRET)):
            secrets[f"s{number}"] = (await self._kube.get_secret(self._namespace, f"s{number}")).resource_version
        hosts = (await self._kube.get_raw(paths.collection(as_kind(Host), self._namespace)))["items"]
        return [host["metadata"]["name"] for host in hosts if not _is_answered(host, secrets)]

    async def _create_answered(self, number: int) -> None:
        host = await self._create(number)
        secret = await self._kube.get_secret(self._namespace, host["spec"]["credentialsRef"]["name"])
        seen = {"kind": "Secret", "name": secret.name, "uid": secret.uid, "version": secret.resource_version}
        status = {"observedGeneration": host["metadata"]["generation"], "observedReferences": [seen]}
        await self._kube.put_raw(f"{self._path(number)}/status", {**host, "status": status})

    async def _create(self, number: int) -> Any:
        spec = {
            "address": "192.0.2.1",
            "hostKeyPolicy": "TrustOnFirstUse",
            "credentialsRef": {"name": f"s{number // HOSTS_PER_SECRET}"},
        }
        body = {
            "apiVersion": "kraut.dev/v1alpha1",
            "kind": "Host",
            "metadata": {"name": self.name(number)},
            "spec": spec,
        }
        return await self._kube.post_raw(paths.collection(as_kind(Host), self._namespace), body)

    async def _edit(self, number: int) -> None:
        port = self._draw.randrange(1, 65536)
        await self._kube.patch_raw(self._path(number), {"spec": {"port": port}})

    async def _request(self, number: int) -> None:
        asked = {"kraut.dev/requested-at": f"now-{next(self._numbers)}"}
        await self._kube.patch_raw(self._path(number), {"metadata": {"annotations": asked}})

    async def _replace(self, number: int) -> None:
        await self._kube.delete(Host, self._namespace, self.name(number))
        self._names[number] = f"h{number}-{next(self._numbers)}"
        await self._create(number)

    async def _edit_secret(self, number: int) -> None:
        path = paths.core("secrets", self._namespace, f"s{number // HOSTS_PER_SECRET}")
        await self._kube.patch_raw(path, {"stringData": {"password": f"another-{next(self._numbers)}"}})

    def _path(self, number: int) -> str:
        return paths.item(as_kind(Host), self._namespace, self.name(number))


def _is_answered(host: Any, secrets: dict[str, str]) -> bool:
    metadata, status = host["metadata"], host.get("status") or {}
    asked = metadata.get("annotations", {}).get("kraut.dev/requested-at", "")
    seen = {reference["name"]: reference["version"] for reference in status.get("observedReferences", [])}
    name = host["spec"]["credentialsRef"]["name"]
    return bool(
        status.get("observedGeneration") == metadata["generation"]
        and status.get("lastHandledRequest", "") == asked
        and seen.get(name) == secrets[name]
    )


async def churn(crowd: Crowd, *, per_second: float) -> None:
    """Change things at this rate until cancelled; while the API server is away nobody can."""
    while True:
        try:
            await crowd.change_something()
        except KrautError:
            await asyncio.sleep(1)
        await asyncio.sleep(1 / per_second)


async def _many(do: Callable[[int], Awaitable[None]], numbers: Iterable[int]) -> None:
    left = iter(numbers)

    async def lane() -> None:
        for number in left:
            await do(number)

    async with asyncio.TaskGroup() as lanes:
        for _ in range(IN_FLIGHT):
            lanes.create_task(lane())
