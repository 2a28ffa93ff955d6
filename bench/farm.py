"""Hosts that answer as sshd and Debian do, by the thousand: one process with many SSH servers, and a Host for each of them."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import objects
from bench.subject import ROOT, Subject
from kraut_core.api.v1alpha1.host import Host
from kraut_core.kube import paths
from kraut_core.kube.client import KubeClient, as_kind

_PROGRAM = ROOT / "packages" / "kraut-worker" / "tests" / "ssh" / "scale" / "farm.py"
_LOOK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Farm:
    """``key`` is the private key that all of them let in; each of ``hosts`` has address, port, hostKey and machineID."""

    key: str
    hosts: list[Any]


@contextmanager
def farm(folder: Path, size: int) -> Iterator[Farm]:
    """So many servers on addresses of 127.0.0.0/8 until the end of the block."""
    argv = [sys.executable, str(_PROGRAM), str(folder), json.dumps({"healthy": size})]
    with Subject(argv, {}) as servers:
        servers.wait_ready()
        yield Farm((folder / "key").read_text(), json.loads((folder / "hosts.json").read_text()))


async def make_hosts(kube: KubeClient, namespace: str, servers: Farm) -> None:
    """A Host for each server, none of them looked at yet."""
    await objects.make_namespace(kube, namespace)
    secret = paths.core("secrets", namespace, objects.SECRET)
    await kube.patch_raw(secret, {"stringData": {"ssh-privatekey": servers.key}})
    free = asyncio.Semaphore(objects.IN_FLIGHT)

    async def make(number: int, server: Any) -> None:
        async with free:
            await kube.post_raw(paths.collection(as_kind(Host), namespace), _manifest(number, server))

    await asyncio.gather(*(make(number, server) for number, server in enumerate(servers.hosts)))


async def wait_looked_at(kube: KubeClient, namespace: str, *, patience: float) -> None:
    """Wait until every Host was reached and is at rest. Raises TimeoutError with what the first of the others say."""
    deadline = time.monotonic() + patience
    while True:
        hosts = (await kube.get_raw(paths.collection(as_kind(Host), namespace)))["items"]
        left = [host for host in hosts if not _is_at_rest(host)]
        if not left:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(left)} of {len(hosts)} Hosts were not looked at: {left[0].get('status')}")
        await asyncio.sleep(_LOOK_SECONDS)


def _manifest(number: int, server: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kraut.dev/v1alpha1",
        "kind": "Host",
        "metadata": {"name": f"h{number}"},
        "spec": {
            "address": server["address"],
            "port": server["port"],
            "user": "kraut",
            "hostKeys": [server["hostKey"]],
            "credentialsRef": {"name": objects.SECRET},
        },
    }


def _is_at_rest(host: Any) -> bool:
    status = host.get("status") or {}
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions", [])}
    answered = status.get("observedGeneration") == host["metadata"]["generation"]
    return bool(answered and conditions.get("Ready") == "True" and "Reconciling" not in conditions)
