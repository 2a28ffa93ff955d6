"""The operator as a process, on a real kube-apiserver and a real Temporal, with the identity it is shipped with."""

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from kraut_core.api.v1alpha1.host import Host
from kraut_core.contracts.reconcile import ReconcileInput, workflow_id
from kraut_core.kube import paths
from kraut_core.kube.client import KubeClient, as_kind
from kraut_operator.testing.cluster import answer, create_host, create_secret, signals, wait_for_signals
from kraut_operator.testing.process import OperatorProcess

if TYPE_CHECKING:
    from kraut_lab.controlplane import ControlPlane
    from kraut_lab.temporal import TemporalServer

pytestmark = pytest.mark.integration

Settings = dict[str, str]


async def test_an_object_becomes_a_workflow(
    kube: KubeClient, temporal: Client, home: str, settings: Settings, tmp_path: Path
) -> None:
    async with OperatorProcess.running(settings, tmp_path / "log") as operator:
        await operator.ready()
        host = await create_host(kube, home, "h")
        [request] = await wait_for_signals(temporal, home, "Host", home, "h", "Initial")
        assert (request.uid, request.generation) == (host.metadata.uid, 1)
        handle = temporal.get_workflow_handle(workflow_id(home, "Host", home, "h"))
        started, signaled = [event async for event in handle.fetch_history_events() if event.event_type in _BOTH]
        attributes = started.workflow_execution_started_event_attributes
        assert attributes.workflow_type.name == "HostWorkflow"
        assert attributes.task_queue.name == f"{home}.workflows"
        assert not attributes.HasField("retry_policy")
        for timeout in (attributes.workflow_execution_timeout, attributes.workflow_run_timeout):
            assert timeout.ToSeconds() == 0
        [argument] = await temporal.data_converter.decode(attributes.input.payloads, [ReconcileInput])
        assert argument == ReconcileInput(home=home, namespace=home, name="h", site="default")
        assert signaled.workflow_execution_signaled_event_attributes.input.ByteSize() < 300
        assert await operator.terminate() == 0


_BOTH = (EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)


async def test_a_restart_over_converged_objects_wakes_nobody(
    kube: KubeClient, temporal: Client, home: str, settings: Settings, tmp_path: Path
) -> None:
    secret = await create_secret(kube, home, "key")
    for number in range(200):
        await answer(kube, await create_host(kube, home, f"h{number}"), secret)
    missing = await create_host(kube, home, "without-secret", secret="absent")
    await answer(kube, missing, None)
    for _ in range(2):
        async with OperatorProcess.running(settings, tmp_path / "log") as operator:
            await operator.ready()
            assert await operator.metric("kraut_cached_objects") >= 202
            # what comes after everything that the restart could have caused
            last = f"last-{operator.process.pid}"
            await create_host(kube, home, last)
            await wait_for_signals(temporal, home, "Host", home, last, "Initial")
            assert await operator.metric_from(1, "kraut_dispatches_total") == 1
            await answer(kube, await kube.get(Host, home, last), secret)
            await operator.kill()


async def test_everything_a_person_does_reaches_the_workflow(
    kube: KubeClient, temporal: Client, home: str, settings: Settings, tmp_path: Path
) -> None:
    secret = await create_secret(kube, home, "key")
    host = await answer(kube, await create_host(kube, home, "h"), secret)
    path = paths.item(as_kind(Host), home, "h")
    async with OperatorProcess.running(settings, tmp_path / "log") as operator:
        await operator.ready()
        expected: list[str] = []

        async def after(patch: dict[str, Any], reason: str) -> None:
            await kube.patch_raw(path, patch)
            expected.append(reason)
            await wait_for_signals(temporal, home, "Host", home, "h", *expected)
            await answer(kube, host, await kube.get_secret(home, "key"))

        await after({"spec": {"paused": True}}, "Spec")
        await after({"metadata": {"annotations": {"kraut.dev/requested-at": "now"}}}, "Requested")
        await kube.patch_raw(path, {"metadata": {"labels": {"of": "no-interest"}}})
        await after({"metadata": {"finalizers": ["kraut.dev/test"]}, "spec": {"paused": False}}, "Spec")
        await kube.delete(Host, home, "h")
        expected.append("Deleted")
        await wait_for_signals(temporal, home, "Host", home, "h", *expected)
        going = await kube.get(Host, home, "h")
        await kube.set_finalizers(Host, home, "h", going.metadata.resource_version, [])
        await wait_for_signals(temporal, home, "Host", home, "h", *expected, "Deleted")
        again = await create_host(kube, home, "h")
        found = await wait_for_signals(temporal, home, "Host", home, "h", *expected, "Deleted", "Initial")
        assert found[-1].uid == again.metadata.uid


async def test_a_secret_wakes_the_hosts_that_refer_to_it(
    kube: KubeClient, temporal: Client, home: str, settings: Settings, tmp_path: Path
) -> None:
    secret, other = await create_secret(kube, home, "key"), await create_secret(kube, home, "other")
    for name in ("one", "two"):
        await answer(kube, await create_host(kube, home, name), secret)
    await answer(kube, await create_host(kube, home, "stranger", secret="other"), other)
    async with OperatorProcess.running(settings, tmp_path / "log") as operator:
        await operator.ready()
        await kube.patch_raw(paths.core("secrets", home, "key"), {"stringData": {"password": "another"}})
        for name in ("one", "two"):
            await wait_for_signals(temporal, home, "Host", home, name, "Reference")
            await answer(kube, await kube.get(Host, home, name), await kube.get_secret(home, "key"))
        await kube.transport.request("DELETE", paths.core("secrets", home, "key"))
        for name in ("one", "two"):
            await wait_for_signals(temporal, home, "Host", home, name, "Reference", "Reference")
        assert await signals(temporal, home, "Host", home, "stranger") == []
        assert "planted" not in (tmp_path / "log").read_text()


@pytest.mark.fault(row=1, fault="operator SIGKILL at every dispatch boundary", invariants=("I1", "I2"))
@pytest.mark.fault(row=10, fault="Temporal SIGKILL", invariants=("I1",))
async def test_a_kill_before_the_dispatch_loses_nothing(
    kube: KubeClient, temporal: Client, home: str, settings: Settings, tmp_path: Path, temporal_server: "TemporalServer"
) -> None:
    secret = await create_secret(kube, home, "key")
    await answer(kube, await create_host(kube, home, "touched"), secret)
    await answer(kube, await create_host(kube, home, "untouched"), secret)
    temporal_server.daemon.kill(signal.SIGKILL)
    try:
        async with OperatorProcess.running(settings, tmp_path / "log") as operator:
            await operator.port()
            await create_host(kube, home, "new")
            await kube.patch_raw(paths.item(as_kind(Host), home, "touched"), {"spec": {"paused": True}})
            await operator.until(lambda: len(operator.logged("workflow not woken")) >= 2, "tries to dispatch")
            assert "[-]temporal failed: the last signal failed" in await operator.readyz()
            await operator.kill()
    finally:
        await asyncio.to_thread(temporal_server.start)
    async with OperatorProcess.running(settings, tmp_path / "log-2") as operator:
        await wait_for_signals(temporal, home, "Host", home, "new", "Initial", repeats=True)
        await wait_for_signals(temporal, home, "Host", home, "touched", "Spec", repeats=True)
        assert await operator.metric_from(2, "kraut_dispatches_total") == 2
        await operator.ready()


@pytest.mark.fault(row=10, fault="Temporal SIGKILL", invariants=("I1",))
async def test_signals_wait_while_temporal_is_away(
    kube: KubeClient, temporal: Client, home: str, settings: Settings, tmp_path: Path, temporal_server: "TemporalServer"
) -> None:
    async with OperatorProcess.running(settings, tmp_path / "log") as operator:
        await operator.ready()
        temporal_server.daemon.kill(signal.SIGKILL)
        try:
            await create_host(kube, home, "h")
            await operator.until(lambda: bool(operator.logged("Temporal does not take signals")), "notices")
        finally:
            await asyncio.to_thread(temporal_server.start)
        await wait_for_signals(temporal, home, "Host", home, "h", "Initial", repeats=True)
        await operator.ready()
        assert operator.logged("Temporal takes signals again")


@pytest.mark.fault(row=20, fault="operator's RBAC removed and restored", invariants=("I1",))
@pytest.mark.fault(row=6, fault="403 then healed", invariants=("I1",))
async def test_without_rights_it_says_so_and_recovers_by_itself(
    kube: KubeClient, temporal: Client, home: str, settings: Settings, tmp_path: Path
) -> None:
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    binding = await kube.get_raw(f"{path}/kraut-operator")
    await kube.transport.request("DELETE", f"{path}/kraut-operator")
    try:
        del settings["KRAUT_HOME_ID"]
        async with OperatorProcess.running(settings, tmp_path / "log") as operator:
            await operator.until(lambda: bool(operator.logged("watch failed")), "is refused")
            text = await operator.readyz()
            assert "[-]watches failed" in text
            assert "HTTP 403" in text
            assert "kraut-operator" in text
            assert "[-]home failed: the uid of kube-system cannot be read" in text
            await create_host(kube, home, "h")
            metadata = {"name": "kraut-operator"}
            await kube.post_raw(path, {**binding, "metadata": metadata})
            await operator.ready()
            cluster = await kube.cluster_uid()
            await wait_for_signals(temporal, cluster, "Host", home, "h", "Initial", repeats=True)
    finally:
        await kube.apply(
            {key: binding[key] for key in ("apiVersion", "kind", "roleRef", "subjects")}
            | {"metadata": {"name": "kraut-operator"}},
            field_manager="kraut-tests",
            force=True,
            path=f"{path}/kraut-operator",
        )


@pytest.mark.fault(row=3, fault="kube-apiserver SIGKILL", invariants=("I1", "I2"))
async def test_the_api_server_comes_back_and_nothing_is_missed(
    kube: KubeClient, temporal: Client, home: str, settings: Settings, tmp_path: Path, control_plane: "ControlPlane"
) -> None:
    async with OperatorProcess.running(settings, tmp_path / "log") as operator:
        await operator.ready()
        control_plane.apiserver.kill(signal.SIGKILL)
        await operator.until(lambda: len(operator.logged("watch failed")) >= 3, "notices")
        await asyncio.to_thread(control_plane.start)
        await create_host(kube, home, "h")
        for paused in (True, False):
            await kube.patch_raw(paths.item(as_kind(Host), home, "h"), {"spec": {"paused": paused}})
        await create_host(kube, home, "last")
        await wait_for_signals(temporal, home, "Host", home, "last", "Initial", repeats=True)
        await operator.ready()
        told = await wait_for_signals(temporal, home, "Host", home, "h", "Initial", repeats=True)
        # I2: whichever of its states were seen together, the last one was told.
        assert told[-1].generation == (await kube.get(Host, home, "h")).metadata.generation == 3


async def test_settings_that_cannot_be_are_a_sentence(settings: Settings, tmp_path: Path) -> None:
    for variable, complaint in (
        ("KRAUT_OPERATOR_DISPATCH_RATE", "KRAUT_OPERATOR_DISPATCH_RATE"),
        ("KRAUT_KUBE_KUBECONFIG", "no such file"),
    ):
        log = tmp_path / variable
        async with OperatorProcess.running({**settings, variable: "/absent"}, log) as operator:
            async with asyncio.timeout(150):
                assert await operator.process.wait() == 1
        assert complaint in log.read_text()
        assert "Traceback" not in log.read_text()
