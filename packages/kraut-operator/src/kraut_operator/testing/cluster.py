"""What tests do in a real cluster as a person or as a workflow would, and what they read from Temporal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError, RPCStatusCode

from kraut_core.api.meta import ObservedReference
from kraut_core.api.v1alpha1.host import Host, HostStatus
from kraut_core.contracts.reconcile import ReconcileRequest, workflow_id
from kraut_core.errors import NotFoundError
from kraut_core.kube import paths
from kraut_core.kube.client import KubeClient, as_kind
from kraut_core.kube.objects import Secret

WAIT_SECONDS = 150.0
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kraut-system/leases"


async def create_secret(kube: KubeClient, namespace: str, name: str) -> Secret:
    """A Secret with one key."""
    body = {"metadata": {"name": name}, "stringData": {"password": "planted"}}
    await kube.post_raw(paths.core("secrets", namespace), body)
    return await kube.get_secret(namespace, name)


async def create_host(kube: KubeClient, namespace: str, name: str, *, secret: str = "key") -> Host:  # noqa: S107
    """A Host that refers to a Secret."""
    spec = {"address": "192.0.2.1", "credentialsRef": {"name": secret}, "hostKeyPolicy": "TrustOnFirstUse"}
    body = {"apiVersion": "kraut.dev/v1alpha1", "kind": "Host", "metadata": {"name": name}, "spec": spec}
    await kube.post_raw(paths.collection(as_kind(Host), namespace), body)
    return await kube.get(Host, namespace, name)


async def answer(kube: KubeClient, host: Host, secret: Secret | None) -> Host:
    """Write the status that the workflow would write: the generation and the Secret as they are now."""
    host = await kube.get(Host, host.metadata.namespace, host.metadata.name)
    seen = ObservedReference(
        kind="Secret",
        name=host.spec.credentials_ref.name,
        uid=secret.uid if secret else "",
        version=secret.resource_version if secret else "",
    )
    status = HostStatus(
        observed_generation=host.metadata.generation,
        last_handled_request=host.metadata.annotations.get("kraut.dev/requested-at", ""),
        observed_references=[seen],
    )
    return await kube.replace_status(Host, host.model_copy(update={"status": status}))


@asynccontextmanager
async def somebody_else_leads(kube: KubeClient) -> AsyncIterator[None]:
    """The operator's Lease is held by nobody's process: operators are standbys until the end of the block, or `release_lease`."""
    await release_lease(kube)
    spec = {"holderIdentity": "somebody-else", "leaseDurationSeconds": 24 * 3600}
    await kube.post_raw(LEASES, {"metadata": {"name": "kraut-operator"}, "spec": spec})
    try:
        yield
    finally:
        await release_lease(kube)


async def release_lease(kube: KubeClient) -> None:
    """Nobody holds the operator's Lease, whoever did."""
    with suppress(NotFoundError):
        await kube.transport.request("DELETE", f"{LEASES}/kraut-operator")


async def shorten_lease(kube: KubeClient) -> None:
    """The record of a leader that is dead: a standby waits, by its own clock, for the 4 s that it says from now on."""
    await kube.patch_raw(f"{LEASES}/kraut-operator", {"spec": {"leaseDurationSeconds": 4}})


async def signals(temporal: Client, home: str, kind: str, namespace: str, name: str) -> list[ReconcileRequest]:
    """The signals that the workflow of an object got, in order; empty when there is no workflow."""
    handle = temporal.get_workflow_handle(workflow_id(home, kind, namespace, name))
    found: list[ReconcileRequest] = []
    try:
        async for event in handle.fetch_history_events():
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
                payloads = event.workflow_execution_signaled_event_attributes.input.payloads
                found += await pydantic_data_converter.decode(payloads, [ReconcileRequest])
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
    return found


async def wait_for_signals(
    temporal: Client, home: str, kind: str, namespace: str, name: str, *reasons: str, repeats: bool = False
) -> list[ReconcileRequest]:
    """Wait until the workflow got exactly these; raises AssertionError with what it got.

    ``repeats``: a signal may come more than once. Temporal may take one and die, or start, before it says so; it is sent again.
    """
    found: list[Any] = []
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while _reasons(found, repeats=repeats) != list(reasons):
                await asyncio.sleep(0.05)
                found = await signals(temporal, home, kind, namespace, name)
    except TimeoutError:
        raise AssertionError(f"expected {reasons}, found {found}") from None
    return found


def _reasons(found: list[ReconcileRequest], *, repeats: bool) -> list[str]:
    reasons = [request.reason for request in found]
    return list(dict.fromkeys(reasons)) if repeats else list(reasons)
