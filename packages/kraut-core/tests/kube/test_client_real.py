"""The client against a real kube-apiserver."""

import asyncio
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pytest

from kraut_core.api.kinds import Kind
from kraut_core.api.meta import ObservedModel, Resource
from kraut_core.api.v1alpha1.host import Host, HostStatus
from kraut_core.errors import (
    ApiServerError,
    ConflictError,
    ForbiddenError,
    InvalidSpecError,
    NotFoundError,
    PermanentError,
)
from kraut_core.kube import config, paths
from kraut_core.kube.client import KubeClient, as_kind
from kraut_core.kube.events import Event, create_event
from kraut_core.kube.objects import ConfigMap, owner_of
from kraut_core.kube.stream import METADATA_ONLY_LIST
from kraut_core.kube.testing import point_kubeconfig

if TYPE_CHECKING:
    from kraut_lab.controlplane import ControlPlane

pytestmark = pytest.mark.integration


def host_manifest(namespace: str, name: str, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kraut.dev/v1alpha1",
        "kind": "Host",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": {
            "address": "192.0.2.1",
            "credentialsRef": {"name": "key"},
            "hostKeyPolicy": "TrustOnFirstUse",
        },
    }


async def create_host(client: KubeClient, namespace: str, name: str, **metadata: Any) -> Host:
    await client.post_raw(paths.collection(as_kind(Host), namespace), host_manifest(namespace, name, **metadata))
    return await client.get(Host, namespace, name)


async def test_a_status_is_written_and_nothing_else(client: KubeClient, namespace: str) -> None:
    labels, annotations = {"zone": "east"}, {"person": "wrote this"}
    host = await create_host(client, namespace, "h", labels=labels, annotations=annotations, finalizers=["a.b/c"])
    path = paths.item(as_kind(Host), namespace, "h")
    before = await client.get_raw(path)
    status = HostStatus(observed_generation=1, last_handled_request="x", reboot_required=False)
    written = await client.replace_status(Host, host.model_copy(update={"status": status}))
    assert written.status == status
    after = await client.get_raw(path)
    for changed in ("resourceVersion", "managedFields"):
        assert before["metadata"].pop(changed) != after["metadata"].pop(changed)
    assert {key: after[key] for key in ("metadata", "spec")} == {key: before[key] for key in ("metadata", "spec")}
    await client.set_finalizers(Host, namespace, "h", written.metadata.resource_version, [])


@pytest.mark.fault(row=7, fault="conflicting status writer", invariants=("I9",))
async def test_of_two_writers_of_a_status_the_later_one_must_read_again(client: KubeClient, namespace: str) -> None:
    host = await create_host(client, namespace, "h")
    first = host.model_copy(update={"status": HostStatus(observed_generation=1)})
    await client.replace_status(Host, first)
    with pytest.raises(ConflictError):
        await client.replace_status(Host, first)
    metadata = host.metadata.model_copy(update={"resource_version": ""})
    with pytest.raises(ValueError, match="without resourceVersion"):
        await client.replace_status(Host, first.model_copy(update={"metadata": metadata}))


async def test_a_status_never_reaches_the_successor_of_its_object(client: KubeClient, namespace: str) -> None:
    old = await create_host(client, namespace, "h")
    await client.delete(Host, namespace, "h", uid=old.metadata.uid)
    new = await create_host(client, namespace, "h")
    with pytest.raises(ConflictError):
        await client.replace_status(Host, old.model_copy(update={"status": HostStatus(observed_generation=1)}))
    with pytest.raises(ConflictError):
        await client.delete(Host, namespace, "h", uid=old.metadata.uid)
    assert (await client.get(Host, namespace, "h")).metadata.uid == new.metadata.uid


async def test_finalizers_hold_an_object_until_they_are_taken_away(client: KubeClient, namespace: str) -> None:
    host = await create_host(client, namespace, "h")
    held = await client.set_finalizers(Host, namespace, "h", host.metadata.resource_version, ["kraut.dev/test"])
    with pytest.raises(ConflictError):
        await client.set_finalizers(Host, namespace, "h", host.metadata.resource_version, [])
    await client.delete(Host, namespace, "h")
    going = await client.get(Host, namespace, "h")
    assert going.metadata.deletion_timestamp is not None
    assert held.metadata.finalizers == ["kraut.dev/test"]
    await client.set_finalizers(Host, namespace, "h", going.metadata.resource_version, [])
    with pytest.raises(NotFoundError):
        await client.get(Host, namespace, "h")


async def test_a_list_comes_in_pages_and_by_labels(client: KubeClient, namespace: str) -> None:
    for number in range(5):
        await create_host(client, namespace, f"h{number}", labels={"odd": str(number % 2)})
    found = [host.metadata.name async for host in client.list(Host, namespace, limit=2)]
    assert found == [f"h{number}" for number in range(5)]
    odd = [host.metadata.name async for host in client.list(Host, namespace, label_selector="odd=1", limit=1)]
    assert odd == ["h1", "h3"]
    everywhere = [host.metadata.namespace async for host in client.list(Host)]
    assert everywhere.count(namespace) == 5


async def test_what_the_api_server_refuses_is_told_in_its_words(client: KubeClient, namespace: str) -> None:
    manifest = host_manifest(namespace, "h")
    manifest["spec"]["port"] = 0
    with pytest.raises(ForbiddenError, match=r"spec\.port") as caught:
        await client.post_raw(paths.collection(as_kind(Host), namespace), manifest)
    assert caught.value.reason == "Invalid"


class NarrowSpec(ObservedModel):
    """As a version of kraut would have it that knows no other port."""

    port: Literal[22]


class NarrowHost(Resource[NarrowSpec, HostStatus]):
    """A Host to that version."""

    KIND: ClassVar[str] = "Host"
    kind: Literal["Host"] = "Host"


NARROW = Kind(model=NarrowHost, plural="hosts", short_names=(), reconciled=True, columns=())


async def test_one_object_that_the_model_refuses_hides_no_other(client: KubeClient, namespace: str) -> None:
    await create_host(client, namespace, "b")
    odd = host_manifest(namespace, "a")
    odd["spec"]["port"] = 2222
    await client.post_raw(paths.collection(NARROW, namespace), odd)
    refused: list[InvalidSpecError] = []
    found = [host.metadata.name async for host in client.list(NARROW, namespace, on_invalid=refused.append)]
    assert found == ["b"]
    assert f"Host {namespace}/a does not fit this version of kraut: spec.port" in str(refused[0])
    assert "2222" not in str(refused[0])
    with pytest.raises(InvalidSpecError, match="does not fit"):
        await client.get(NARROW, namespace, "a")
    with pytest.raises(InvalidSpecError, match="does not fit"):
        [host async for host in client.list(NARROW, namespace)]


async def test_apply_owns_its_fields_and_no_others(client: KubeClient, namespace: str) -> None:
    manifest = host_manifest(namespace, "h")
    await client.apply(manifest, field_manager="one")
    manifest["spec"]["address"] = "192.0.2.2"
    with pytest.raises(ConflictError, match="conflict"):
        await client.apply(manifest, field_manager="two")
    applied = await client.apply(manifest, field_manager="two", force=True)
    assert applied["spec"]["address"] == "192.0.2.2"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"password": "planted"}}
    await client.apply(secret, field_manager="one", path=paths.core("secrets", namespace, "s"))
    assert (await client.get_secret(namespace, "s")).data == {"password": b"planted"}


async def test_of_a_secret_the_watch_gets_no_data(client: KubeClient, namespace: str) -> None:
    secret = {"metadata": {"name": "s"}, "stringData": {"password": "planted"}}
    await client.post_raw(paths.core("secrets", namespace), secret)
    body = await client.transport.request("GET", paths.core("secrets", namespace), accept=METADATA_ONLY_LIST)
    assert b'"name":"s"' in body
    assert b"cGxhbnRlZA" not in body


async def test_a_config_map_goes_with_its_owner(client: KubeClient, namespace: str) -> None:
    host = await create_host(client, namespace, "h")
    wanted = ConfigMap(namespace, "log", {"output": "one"}, {"kraut.dev/log": "x"}, owner_of(host))
    created = await client.create_config_map(wanted)
    with pytest.raises(ConflictError):
        await client.create_config_map(wanted)
    [listed] = await client.list_config_maps(namespace, label_selector="kraut.dev/log=x")
    assert (listed, listed.data, listed.owner) == (created, {"output": "one"}, owner_of(host))
    await client.delete(Host, namespace, "h")
    async with asyncio.timeout(300):
        while await client.list_config_maps(namespace, label_selector="kraut.dev/log=x"):
            await asyncio.sleep(0.2)


async def test_the_same_event_counts_up_and_another_is_another(client: KubeClient, namespace: str) -> None:
    host = await create_host(client, namespace, "h")
    same = Event(host, "Probed", "Probe", "the host answers")
    for _ in range(3):
        await create_event(client, same, controller="kraut.dev/test", instance="one")
    long = Event(host, "Failed", "Probe", "é" * 2000, type="Warning")
    await create_event(client, long, controller="kraut.dev/test", instance="one")
    found = await client.get_raw(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")
    by_reason = {item["reason"]: item for item in found["items"]}
    assert by_reason["Probed"]["series"]["count"] == 3
    assert by_reason["Probed"]["regarding"]["uid"] == host.metadata.uid
    assert by_reason["Failed"]["note"].endswith("é…")
    assert len(found["items"]) == 2


async def test_who_may_not_is_told_so(client: KubeClient, control_plane: "ControlPlane") -> None:
    async with KubeClient.connect(str(control_plane.kubeconfig("operator"))) as operator:
        assert await operator.cluster_uid() == await client.cluster_uid()
        with pytest.raises(ForbiddenError, match="kraut-operator") as caught:
            await operator.get_secret("default", "any")
        assert caught.value.reason == "Forbidden"


async def test_a_server_that_is_not_there_or_never_answers(control_plane: "ControlPlane", tmp_path: Path) -> None:
    # The kernel completes connections to it; nobody ever reads them.
    silent = socket.create_server(("127.0.0.1", 0))
    port = silent.getsockname()[1]
    kubeconfig = point_kubeconfig(control_plane.kubeconfig(), f"https://127.0.0.1:{port}", tmp_path / "silent")
    async with KubeClient.connect(str(kubeconfig), timeout_seconds=0.5) as client:
        with pytest.raises(ApiServerError, match="no answer") as caught:
            await client.cluster_uid()
        assert caught.value.status == 0
        silent.close()
        with pytest.raises(ApiServerError, match="no answer"):
            await client.cluster_uid()


@pytest.mark.fault(row=6, fault="401 then healed", invariants=("I1",))
async def test_a_token_that_was_replaced_is_read_again(
    control_plane: "ControlPlane", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import yaml  # noqa: PLC0415

    token = tmp_path / "token"
    token.write_text("expired")
    document = yaml.safe_load(control_plane.kubeconfig("operator").read_text())
    good = document["users"][0]["user"].pop("token")
    document["users"][0]["user"]["tokenFile"] = str(token)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(document))
    monkeypatch.setattr(config, "RENEW_SECONDS", 0.0)
    async with KubeClient.connect(str(kubeconfig)) as client:
        with pytest.raises(ForbiddenError, match="401"):
            await client.cluster_uid()
        token.write_text(good)
        assert await client.cluster_uid()


async def test_a_kubeconfig_that_cannot_be_used_fails_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="no such file"):
        async with KubeClient.connect(str(tmp_path / "absent")):
            pass
