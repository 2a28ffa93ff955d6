"""Watch streams against a real kube-apiserver, with faults between and in it."""

import asyncio
import http.client
import json
import signal
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kraut_core.errors import ApiServerError, KrautError
from kraut_core.kube import paths
from kraut_core.kube.client import KubeClient
from kraut_core.kube.replica import IDENTITIES, Change, Deleted, ExpiredError, Identity, Synced, Upserted
from kraut_core.kube.stream import Source, Stream, StreamOptions
from kraut_core.kube.testing import FaultProxy, point_kubeconfig

if TYPE_CHECKING:
    from kraut_lab.controlplane import ControlPlane

pytestmark = pytest.mark.integration


class Watched:
    """A stream that is being read; keeps everything that it told."""

    def __init__(self, stream: Stream[Identity], errors: list[KrautError]) -> None:
        self.stream = stream
        self.errors = errors
        self.told: list[Change[Identity]] = []
        self._more = asyncio.Event()

    async def read(self) -> None:
        async for batch in self.stream.changes():
            self.told += batch
            self._more.set()

    @property
    def names(self) -> set[str]:
        return {name for _, name in self.stream.objects}

    async def until(self, condition: Callable[[], bool], seconds: float = 150) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self._more.clear()
                if not condition():
                    # errors and progress without changes wake nobody
                    await asyncio.wait({asyncio.ensure_future(self._more.wait())}, timeout=0.05)


@asynccontextmanager
async def watching(
    client: KubeClient, namespace: str, *, kind: str = "ConfigMap", options: StreamOptions | None = None
) -> AsyncIterator[Watched]:
    errors: list[KrautError] = []
    source = Source(paths.watched(kind, namespace), metadata_only=True)
    stream = Stream(
        client, source, IDENTITIES, options=options, on_trouble=lambda error, _seconds: errors.append(error)
    )
    watched = Watched(stream, errors)
    task = asyncio.create_task(watched.read())
    try:
        yield watched
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def behind_proxy(plane: "ControlPlane", folder: Path) -> AsyncIterator[tuple[FaultProxy, KubeClient]]:
    async with FaultProxy.open(plane.url) as proxy:
        kubeconfig = point_kubeconfig(plane.kubeconfig(), proxy.url, folder / "kubeconfig")
        async with KubeClient.connect(str(kubeconfig)) as client:
            yield proxy, client


async def put(client: KubeClient, namespace: str, name: str, value: str = "") -> None:
    manifest = {"metadata": {"name": name}, "data": {"value": value}}
    await client.post_raw(paths.core("configmaps", namespace), manifest)


async def touch(client: KubeClient, namespace: str, name: str, value: str) -> None:
    await client.patch_raw(paths.core("configmaps", namespace, name), {"data": {"value": value}})


@pytest.fixture
async def quiet(client: KubeClient, namespace: str) -> str:
    """A namespace into which no controller writes any more (each gets kube-root-ca.crt)."""
    async with asyncio.timeout(150):
        while not (await client.get_raw(paths.core("configmaps", namespace)))["items"]:
            await asyncio.sleep(0.05)
    await client.delete_config_map(namespace, "kube-root-ca.crt")
    async with asyncio.timeout(150):
        while not (await client.get_raw(paths.core("configmaps", namespace)))["items"]:
            await asyncio.sleep(0.05)
    return namespace


async def test_what_exists_then_what_happens(client: KubeClient, quiet: str) -> None:
    await put(client, quiet, "a")
    async with watching(client, quiet) as watched:
        await watched.until(lambda: watched.stream.synced)
        assert watched.names == {"a", "kube-root-ca.crt"}
        assert watched.told[-1] == Synced(2)
        assert all(change.initial for change in watched.told if isinstance(change, Upserted))
        await put(client, quiet, "b")
        await touch(client, quiet, "a", "2")
        await client.delete_config_map(quiet, "b")
        await watched.until(lambda: len(watched.told) == 6)
        told = [(type(change).__name__, _name(change)) for change in watched.told[3:]]
        assert told == [("Upserted", "b"), ("Upserted", "a"), ("Deleted", "b")]
        assert watched.errors == []


def _name(change: Change[Identity]) -> str:
    found: Identity | None = None
    if isinstance(change, Upserted):
        found = change.new
    elif isinstance(change, Deleted):
        found = change.old
    return found.name if found is not None else ""


async def test_a_server_without_streaming_lists_is_read_in_pages(client: KubeClient, quiet: str) -> None:
    for number in range(7):
        await put(client, quiet, f"m{number}")
    async with watching(client, quiet, options=StreamOptions(page_size=3)) as watched:
        watched.stream._watch_list = False
        await watched.until(lambda: watched.stream.synced)
        assert len(watched.names) == 8
        await put(client, quiet, "later")
        await watched.until(lambda: "later" in watched.names)
        assert [type(change) for change in watched.told[8:]] == [Synced, Upserted]


@pytest.mark.fault(row=3, fault="kube-apiserver SIGKILL", invariants=("I1",))
async def test_the_api_server_dies_and_comes_back(
    client: KubeClient, quiet: str, control_plane: "ControlPlane"
) -> None:
    await put(client, quiet, "before")
    async with watching(client, quiet) as watched:
        await watched.until(lambda: watched.stream.synced)
        control_plane.apiserver.kill(signal.SIGKILL)
        await watched.until(lambda: watched.stream.trouble is not None)
        assert "before" in watched.names
        await asyncio.to_thread(control_plane.start)
        await put(client, quiet, "after")
        await watched.until(lambda: "after" in watched.names)
        assert watched.stream.trouble is None


@pytest.mark.fault(row=5, fault="410 with deletions missed", invariants=("I1",))
async def test_deletions_that_were_compacted_away_are_found_by_reading_again(
    client: KubeClient, quiet: str, control_plane: "ControlPlane", tmp_path: Path
) -> None:
    for name in ("kept", "deleted", "recreated"):
        await put(client, quiet, name)
    async with behind_proxy(control_plane, tmp_path) as (proxy, proxied), watching(proxied, quiet) as watched:
        await watched.until(lambda: watched.stream.synced)
        proxy.refusing = True
        proxy.reset()
        await watched.until(lambda: watched.stream.trouble is not None)
        old = watched.stream.objects[quiet, "recreated"]
        for name in ("deleted", "recreated"):
            await client.delete_config_map(quiet, name)
        await put(client, quiet, "recreated")
        _compact(control_plane, await _revision(client, quiet))
        # Its watch cache starts from what etcd has now, and etcd has forgotten what was before.
        control_plane.apiserver.kill(signal.SIGKILL)
        await asyncio.to_thread(control_plane.start)
        proxy.refusing = False
        before = len(watched.told)
        await watched.until(lambda: any(isinstance(change, Synced) for change in watched.told[before:]))
        assert any(isinstance(error, ExpiredError) or getattr(error, "status", 0) == 410 for error in watched.errors)
        told = {_name(change): change for change in watched.told[before:]}
        assert isinstance(told["deleted"], Deleted)
        recreated = told["recreated"]
        assert isinstance(recreated, Upserted)
        assert recreated.old == old
        assert recreated.new.uid != old.uid
        assert "kept" not in told
        assert watched.names == {"kept", "recreated", "kube-root-ca.crt"}


async def _revision(client: KubeClient, namespace: str) -> int:
    page = await client.get_raw(paths.core("configmaps", namespace))
    return int(page["metadata"]["resourceVersion"])


def _compact(plane: "ControlPlane", revision: int) -> None:
    credentials = plane._credentials
    tls = ssl.create_default_context(cafile=str(credentials.etcd_ca.certificate))
    tls.load_cert_chain(credentials.etcd_client.certificate, credentials.etcd_client.key)
    connection = http.client.HTTPSConnection("127.0.0.1", plane.ports.etcd_client, context=tls, timeout=60)
    try:
        connection.request("POST", "/v3/kv/compaction", json.dumps({"revision": revision, "physical": True}))
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
    finally:
        connection.close()


@pytest.mark.fault(row=4, fault="half-open watch", invariants=("I1",))
async def test_a_half_open_connection_is_noticed_and_replaced(
    client: KubeClient, quiet: str, control_plane: "ControlPlane", tmp_path: Path
) -> None:
    options = StreamOptions(idle_seconds=3)
    async with (
        behind_proxy(control_plane, tmp_path) as (proxy, proxied),
        watching(proxied, quiet, options=options) as watched,
    ):
        await watched.until(lambda: watched.stream.synced)
        proxy.blackhole()
        await put(client, quiet, "unheard")
        await watched.until(lambda: "unheard" in watched.names)
        assert isinstance(watched.errors[0], ApiServerError)
        assert watched.errors[0].status == 0
        assert [type(change) for change in watched.told].count(Synced) == 1


@pytest.mark.fault(row=5, fault="RST in the middle of a JSON line", invariants=("I1",))
async def test_a_reset_in_the_middle_of_an_event_loses_nothing_and_doubles_nothing(
    client: KubeClient, quiet: str, control_plane: "ControlPlane", tmp_path: Path
) -> None:
    async with (
        behind_proxy(control_plane, tmp_path) as (proxy, proxied),
        watching_full(proxied, quiet) as watched,
    ):
        await watched.until(lambda: watched.stream.synced)
        before = len(watched.told)
        proxy.reset_after(200_000)
        await put(client, quiet, "large", "x" * 400_000)
        await watched.until(lambda: "large" in watched.names)
        assert len(watched.errors) == 1
        assert [_name(change) for change in watched.told[before:]] == ["large"]


@pytest.mark.fault(row=5, fault="dropped events", invariants=("I1",))
@pytest.mark.parametrize("relist_seconds", [0.0, StreamOptions().relist_seconds])
async def test_events_that_never_came_are_found_by_reading_again_and_by_nothing_else(
    client: KubeClient, quiet: str, control_plane: "ControlPlane", tmp_path: Path, relist_seconds: float
) -> None:
    from kraut_lab.faults.apiproxy import LyingApiServer  # noqa: PLC0415 - the lab is not there for unit tests

    secrets = paths.core("secrets", quiet)
    for name in ("gone", "changed"):
        await client.post_raw(secrets, {"metadata": {"name": name}})
    with LyingApiServer.in_front_of(control_plane) as proxy:
        kubeconfig = str(proxy.kubeconfig("operator", tmp_path))
        options = StreamOptions(relist_seconds=relist_seconds)
        async with (
            KubeClient.connect(kubeconfig) as proxied,
            watching(proxied, quiet, kind="Secret", options=options) as watched,
        ):
            await watched.until(lambda: watched.stream.synced)
            with proxy.lies.dropping(lambda _, found: found["metadata"]["namespace"] == quiet) as dropped:
                await client.post_raw(secrets, {"metadata": {"name": "new"}})
                await client.patch_raw(f"{secrets}/changed", {"stringData": {"key": "2"}})
                await client.transport.request("DELETE", f"{secrets}/gone")
                await watched.until(lambda: dropped.times == 3)
            await client.post_raw(secrets, {"metadata": {"name": "later"}})
            await watched.until(lambda: "later" in watched.names)
            before = len(watched.told)
            proxy.cut_watches()
            await client.post_raw(secrets, {"metadata": {"name": "last"}})
            await watched.until(lambda: "last" in watched.names)
            told = {(type(change).__name__, _name(change)) for change in watched.told[before:]}
    found = {("Upserted", "new"), ("Upserted", "changed"), ("Deleted", "gone"), ("Synced", "")}
    assert told - {("Upserted", "last")} == (set() if relist_seconds else found)


@asynccontextmanager
async def watching_full(client: KubeClient, namespace: str) -> AsyncIterator[Watched]:
    """As ``watching``, with whole objects on the wire."""
    errors: list[KrautError] = []
    source = Source(paths.watched("ConfigMap", namespace))
    stream = Stream(client, source, IDENTITIES, on_trouble=lambda error, _seconds: errors.append(error))
    watched = Watched(stream, errors)
    task = asyncio.create_task(watched.read())
    try:
        yield watched
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_what_is_not_served_yet_is_watched_as_soon_as_it_is(client: KubeClient) -> None:
    errors: list[KrautError] = []
    stream = Stream(
        client, Source("/apis/kraut.dev/v1alpha1/laters"), IDENTITIES, on_trouble=lambda e, _seconds: errors.append(e)
    )
    watched = Watched(stream, errors)
    task = asyncio.create_task(watched.read())
    await watched.until(lambda: bool(errors))
    assert not stream.synced
    assert "404" in str(stream.trouble)
    await client.post_raw("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", _definition("laters", "Later"))
    await watched.until(lambda: stream.synced)
    assert stream.trouble is None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await client.transport.request("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/laters.kraut.dev")


def _definition(plural: str, kind: str) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    return {
        "metadata": {"name": f"{plural}.kraut.dev"},
        "spec": {"group": "kraut.dev", "scope": "Namespaced", "names": names, "versions": [version]},
    }
