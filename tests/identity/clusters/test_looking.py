"""A Cluster is looked at as the worker does it, with the worker's own rights: real API servers, real TLS, a real Dex."""

import asyncio
import base64
import json

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from kraut_core.api.conditions import find
from kraut_core.api.v1alpha1.cluster import Cluster
from kraut_core.contracts.reconcile import ReconcileRequest, kubernetes_queue, workflow_id, workflow_queue
from kraut_core.temporal.wake import wake_workflow
from kraut_worker.messages import AssessClusterInput, ClusterName
from kraut_worker.workflows.cluster import ClusterWorkflow

pytestmark = pytest.mark.integration


async def test_a_cluster_that_trusts_the_issuer_directly(desk, direct, may_read_issuer, control_plane, admin):
    desk.account()
    await desk.see("west", {"direct": direct}, issuer=control_plane.url)
    status, _ = await desk.until("west", "Reachable")
    assert status.reachable is True
    assert status.version == f"v{control_plane.version.removeprefix('v')}"
    assert (status.issuer, status.username) == (control_plane.url, may_read_issuer)
    again, _ = await desk.look("west")
    assert again == status, "nothing changed, nothing is written"
    _, events = admin.request("GET", f"/apis/events.k8s.io/v1/namespaces/{desk.namespace}/events")
    assert {item["reason"] for item in events["items"]} >= {"Reachable"}


async def test_a_cluster_that_trusts_dex(desk, site, exchange, may_read_issuer):
    desk.account()
    desk.secret("dex", client_secret=site.dex.secret_file("west").read_bytes())
    through_dex = exchange()
    await desk.see("west", {"exchange": through_dex})
    status, _ = await desk.until("west", "Reachable")
    assert status.username == may_read_issuer
    assert [(seen.kind, seen.name) for seen in status.observed_references] == [("Secret", "dex")]
    assert site.dex.secret_file("west").read_text() not in "".join(desk.left)

    desk.secret("wrong", client_secret=b"not-the-secret-of-west")
    wrong = {
        **through_dex,
        "clientAuthentication": {**through_dex["clientAuthentication"], "secretRef": {"name": "wrong"}},
    }
    _, ready = await desk.see("wrong", {"exchange": wrong})
    assert (ready.status, ready.reason) == ("False", "ExchangeClientRefused")
    assert "not-the-secret" not in "".join(desk.left)


async def test_a_cluster_by_kubeconfig_of_which_nothing_is_executed(desk, control_plane, tmp_path):
    config = control_plane.kubeconfig().read_bytes()
    desk.secret("admin", kubeconfig=config)
    status, ready = await desk.see("admin", {"kubeconfig": {"secretRef": {"name": "admin"}}})
    assert (ready.status, status.issuer) == ("True", control_plane.url), ready.message
    ran = tmp_path / "ran"
    users = [
        {
            "name": "u",
            "user": {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "touch", "args": [str(ran)]}},
        }
    ]
    clusters = [{"name": "c", "cluster": {"server": control_plane.url}}]
    contexts = [{"name": "x", "context": {"cluster": "c", "user": "u"}}]
    document = {"current-context": "x", "contexts": contexts, "clusters": clusters, "users": users}
    desk.secret("exec", kubeconfig=json.dumps(document).encode())
    _, ready = await desk.see("exec", {"kubeconfig": {"secretRef": {"name": "exec"}}})
    assert (ready.status, ready.reason) == ("False", "KubeconfigRefused")
    assert not ran.exists()


async def test_what_is_wrong_has_a_class_and_a_sentence_what_to_do(desk, site, direct, control_plane, authority):
    desk.account()
    desk.account("silent", may_ask=False)
    other_ca = base64.b64encode(site.ca.read_bytes()).decode()
    cases = {
        "gone": ({**direct, "server": "https://127.0.0.1:1"}, "Unknown", "Unreachable", "goes on trying"),
        "ca": ({**direct, "caBundle": other_ca}, "False", "CertificateUntrusted", "correct one of them"),
        "north": ({**direct, "audience": "https://api.north"}, "False", "Unauthorized", "AuthenticationConfiguration"),
        "home": ({**direct, "audience": site.issuer}, "False", "AudienceIsHome", "an audience of its own"),
        "nobody": ({**direct, "serviceAccountName": "nobody"}, "False", "TokenRequestForbidden", "cluster connect"),
        "silent": ({**direct, "serviceAccountName": "silent"}, "False", "TokenRequestForbidden", "cluster connect"),
    }
    for name, (access, status, reason, what_to_do) in cases.items():
        await desk.see(name, {"direct": access})
        # A token that nobody knows and a role that is not yet in force are refused alike, and in the end for what is wrong.
        _, ready = await desk.until(name, reason)
        assert (ready.status, ready.reason) == (status, reason), ready.message
        assert what_to_do in ready.message
    _, ready = await desk.see("secret", {"kubeconfig": {"secretRef": {"name": "absent"}}})
    assert (ready.status, ready.reason) == ("False", "SecretNotFound")


async def test_another_issuer_is_another_cluster(desk, direct, may_read_issuer):
    desk.account()
    await desk.see("west", {"direct": direct}, issuer="https://oidc.west.example.com")
    _, ready = await desk.until("west", "IssuerMismatch")
    assert ready.status == "False"
    assert "spec.access" in ready.message


async def test_a_cluster_that_is_gone_is_not_looked_at(desk):
    question = AssessClusterInput(cluster=ClusterName(home="home", namespace=desk.namespace, name="gone"))
    assert (await desk.worker.look(question, "w")).outcome == "Gone"


async def test_its_workflow_leaves_no_token_in_history(desk, site, exchange, may_read_issuer, temporal_server):
    """Real Temporal: signal-with-start, look, write, and every byte of the run's history searched."""
    client = await Client.connect(temporal_server.address, data_converter=pydantic_data_converter)
    home = f"identity-{desk.namespace}"
    secret = site.dex.secret_file("west").read_bytes()
    desk.account()
    desk.secret("dex", client_secret=secret)
    spec = {"access": {"exchange": exchange()}}
    path = f"/apis/kraut.dev/v1alpha1/namespaces/{desk.namespace}/clusters"
    body = {"apiVersion": "kraut.dev/v1alpha1", "kind": "Cluster", "metadata": {"name": "west"}, "spec": spec}
    uid = desk.admin.request("POST", path, body)[1]["metadata"]["uid"]
    request = ReconcileRequest(uid=uid, generation=1, reason="Spec")
    where = {"home": home, "kind": "Cluster", "namespace": desk.namespace, "name": "west"}
    async with (
        Worker(client, task_queue=workflow_queue(home), workflows=[ClusterWorkflow]),
        Worker(client, task_queue=kubernetes_queue(home), activities=[desk.worker.assess]),
    ):
        await wake_workflow(client, **where, request=request)
        async with asyncio.timeout(150):
            while True:
                status = (await desk.kube.get(Cluster, desk.namespace, "west")).status
                ready = find(status.conditions, "Ready") if status else None
                if ready is not None and ready.reason == "Reachable":
                    break
                await asyncio.sleep(0.2)
    handle = client.get_workflow_handle(workflow_id(**where))
    assert status.workflow_id == handle.id
    history = await handle.fetch_history()
    kept = b"".join(event.SerializeToString() for event in history.events)
    assert b"assess_cluster" in kept
    assert b"eyJ" not in kept, "a token"
    assert secret not in kept
    await handle.terminate()
