"""A Cluster is looked at as the worker does it, with the worker's own rights: real API servers, real TLS, a real Dex."""

import asyncio
import base64
import json
import os
import subprocess
import sys

import pytest
import structlog
import yaml
from prometheus_client import CollectorRegistry
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from kraut_core.api.conditions import find
from kraut_core.api.conformance import assert_conformance
from kraut_core.api.v1alpha1.cluster import Cluster
from kraut_core.contracts.reconcile import ReconcileRequest, kubernetes_queue, workflow_id, workflow_queue
from kraut_core.identity.issuers import parse_networks
from kraut_core.kube.client import KubeClient
from kraut_core.temporal.wake import wake_workflow
from kraut_lab.controlplane.anotherserver import AnotherApiServer
from kraut_lab.controlplane.kubeconfig import write_token_kubeconfig
from kraut_worker.activities.clusters import ClusterActivitiesAtHome
from kraut_worker.adapters.kube import Accesses, HttpsClusterProber
from kraut_worker.messages import AssessClusterInput, ClusterName
from kraut_worker.metrics import WorkerMetrics
from kraut_worker.workflows.cluster import ClusterWorkflow

pytestmark = pytest.mark.integration

WEST = "https://api.west.example.com"
NORTH = "https://api.north.example.com"
ACCOUNT = "kraut"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


def encoded(data):
    return base64.b64encode(data).decode()


def created(admin, path, body):
    status, answer = admin.request("POST", path, body)
    assert status == 201, answer
    return answer


class Desk:
    """Clusters of one namespace, and the worker that looks at them."""

    def __init__(self, admin, namespace, kube):
        self.admin, self.namespace, self.kube = admin, namespace, kube
        prober = HttpsClusterProber(Accesses(kube, networks=parse_networks(["127.0.0.0/8"])))
        self.worker = ClusterActivitiesAtHome(kube, prober, WorkerMetrics(CollectorRegistry()), instance="test")
        self.left = []

    def secret(self, name, **data):
        values = {key.replace("_", "-"): encoded(value) for key, value in data.items()}
        created(
            self.admin, f"/api/v1/namespaces/{self.namespace}/secrets", {"metadata": {"name": name}, "data": values}
        )

    def account(self, name=ACCOUNT, *, may_ask=True):
        created(self.admin, f"/api/v1/namespaces/{self.namespace}/serviceaccounts", {"metadata": {"name": name}})
        if not may_ask:
            return
        rules = [
            {"apiGroups": [""], "resources": ["serviceaccounts/token"], "resourceNames": [name], "verbs": ["create"]}
        ]
        created(self.admin, f"{RBAC}/namespaces/{self.namespace}/roles", {"metadata": {"name": name}, "rules": rules})
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": "kraut-worker", "namespace": "kraut-system"}],
        }
        created(self.admin, f"{RBAC}/namespaces/{self.namespace}/rolebindings", binding)

    async def see(self, name, access, **spec):
        """Write a Cluster, look at it once, and return its status and Ready."""
        path = f"/apis/kraut.dev/v1alpha1/namespaces/{self.namespace}/clusters"
        body = {"apiVersion": "kraut.dev/v1alpha1", "kind": "Cluster", "metadata": {"name": name}}
        created(self.admin, path, {**body, "spec": {"access": access, **spec}})
        return await self.look(name)

    async def look(self, name):
        before = await self.kube.get(Cluster, self.namespace, name)
        question = AssessClusterInput(cluster=ClusterName(home="home", namespace=self.namespace, name=name))
        assessment = await self.worker.look(question, f"home/Cluster/{self.namespace}/{name}")
        cluster = await self.kube.get(Cluster, self.namespace, name)
        assert_conformance(cluster, before)
        ready = find(cluster.status.conditions, "Ready")
        self.left += [assessment.model_dump_json(), cluster.model_dump_json()]
        return cluster.status, ready

    async def until(self, name, reason):
        """Roles and keys of issuers come into force a moment later."""
        async with asyncio.timeout(150):
            while True:
                status, ready = await self.look(name)
                if ready.reason == reason and (reason != "Reachable" or status.issuer):
                    return status, ready
                await asyncio.sleep(0.5)


@pytest.fixture
async def desk(site, admin, namespace, tmp_path):
    token = site.server.token("kraut-system", "kraut-worker", site.issuer)
    config = tmp_path / "worker.kubeconfig"
    write_token_kubeconfig(
        config, server=site.server.url, ca=site.cluster_ca, user="worker", token=token, namespace="kraut-system"
    )
    async with KubeClient.connect(str(config)) as kube:
        with structlog.testing.capture_logs() as logs:
            desk = Desk(admin, namespace, kube)
            yield desk
        _, events = admin.request("GET", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")
        left = json.dumps([logs, events, desk.left], default=str)
        assert "eyJ" not in left, "a token"
        assert "PRIVATE KEY" not in left


@pytest.fixture
def direct(site, west):
    ca = encoded(site.cluster_ca.read_bytes())
    return {"server": west.url, "caBundle": ca, "audience": WEST, "serviceAccountName": ACCOUNT}


@pytest.fixture
def may_read_issuer(admin, namespace):
    """What `kraut cluster connect` writes at the target."""
    user = f"kraut:east:system:serviceaccount:{namespace}:{ACCOUNT}"
    binding = {
        "metadata": {"name": namespace},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "system:service-account-issuer-discovery",
        },
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }
    created(admin, f"{RBAC}/clusterrolebindings", binding)
    yield user
    admin.request("DELETE", f"{RBAC}/clusterrolebindings/{namespace}")


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


def exchange_at(site, direct):
    """The same cluster through Dex."""
    provider = {
        "tokenEndpoint": site.dex.token_endpoint,
        "caBundle": encoded(site.ca.read_bytes()),
        "subjectAudience": site.dex.issuer,
        "subjectTokenType": "IDToken",
        "requestedTokenType": "IDToken",
        "sendAudience": False,
        "scopes": ["openid", "profile", "federated:id"],
        "parameters": [{"name": "connector_id", "value": "east"}],
    }
    client = {"method": "ClientSecretBasic", "clientID": "west", "secretRef": {"name": "dex"}}
    return {**direct, "audience": "west", "provider": provider, "clientAuthentication": client}


async def test_a_cluster_that_trusts_dex(desk, site, direct, may_read_issuer):
    desk.account()
    desk.secret("dex", client_secret=site.dex.secret_file("west").read_bytes())
    exchange = exchange_at(site, direct)
    await desk.see("west", {"exchange": exchange})
    status, _ = await desk.until("west", "Reachable")
    assert status.username == may_read_issuer
    assert [(seen.kind, seen.name) for seen in status.observed_references] == [("Secret", "dex")]
    assert site.dex.secret_file("west").read_text() not in "".join(desk.left)

    desk.secret("wrong", client_secret=b"not-the-secret-of-west")
    wrong = {
        **exchange,
        "clientAuthentication": {**exchange["clientAuthentication"], "secretRef": {"name": "wrong"}},
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
    other_ca = encoded(site.ca.read_bytes())
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


async def test_its_workflow_leaves_no_token_in_history(desk, site, direct, may_read_issuer, temporal_server):
    """Real Temporal: signal-with-start, look, write, and every byte of the run's history searched."""
    client = await Client.connect(temporal_server.address, data_converter=pydantic_data_converter)
    home = f"identity-{desk.namespace}"
    secret = site.dex.secret_file("west").read_bytes()
    desk.account()
    desk.secret("dex", client_secret=secret)
    spec = {"access": {"exchange": exchange_at(site, direct)}}
    path = f"/apis/kraut.dev/v1alpha1/namespaces/{desk.namespace}/clusters"
    body = {"apiVersion": "kraut.dev/v1alpha1", "kind": "Cluster", "metadata": {"name": "west"}, "spec": spec}
    uid = created(desk.admin, path, body)["metadata"]["uid"]
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


class Connect:
    """`kraut cluster connect` from east, as a person runs it."""

    def __init__(self, site, namespace, server, target, folder):
        issuer_ca = f"--issuer-ca={site.ca}"
        self.argv = [sys.executable, "-m", "kraut_cli", "cluster", "connect", "north", "--home-name=east"]
        self.argv += [f"--audience={NORTH}", f"--target-kubeconfig={target}", f"--server={server.url}", issuer_ca]
        self.argv += [f"--kubeconfig={site.kubeconfig}", "-n", namespace]
        self.environment = {**os.environ, "HOME": str(folder), "NO_COLOR": "1"}

    def __call__(self, *words, code=0):
        done = subprocess.run(
            [*self.argv, *words], capture_output=True, text=True, check=False, timeout=120, env=self.environment
        )
        assert done.returncode == code, done.stderr
        return done


async def test_connect_writes_what_both_sides_need(desk, site, control_plane, admin, tmp_path):
    """Nothing by --export and --dry-run, everything once, and what it wrote works."""
    north = AnotherApiServer(control_plane, "north")
    connect = Connect(site, desk.namespace, north, control_plane.kubeconfig(), tmp_path)
    cluster = f"/apis/kraut.dev/v1alpha1/namespaces/{desk.namespace}/clusters/north"
    file = tmp_path / "authentication.yaml"

    exported = list(yaml.safe_load_all(connect("--export").stdout))
    assert [document["kind"] for document in exported] == [
        *("ServiceAccount", "Role", "RoleBinding", "Cluster"),
        *("ClusterRoleBinding", "AuthenticationConfiguration"),
    ]
    tried = connect("--dry-run", f"--authentication-config={file}", "--cluster-role=view")
    assert "created (dry run)" in tried.stderr
    assert not file.exists()
    assert admin.request("GET", cluster)[0] == 404

    try:
        printed = connect("--cluster-role=view")
        assert yaml.safe_load(printed.stdout) == exported[-1]
        connect("--cluster-role=view", f"--authentication-config={file}")
        again = connect("--cluster-role=view", f"--authentication-config={file}").stderr
        assert {line.rsplit(" ", 1)[1] for line in again.splitlines()} == {"unchanged"}
        assert yaml.safe_load(file.read_text()) == exported[-1]
        north.start(more={"authentication-config": str(file)})
        status, ready = await desk.until("north", "Reachable")
        assert status.username == f"kraut:east:system:serviceaccount:{desk.namespace}:kraut"
        assert status.issuer == control_plane.url, ready.message
        assert may_ask_for_token(admin, desk.namespace, "kraut")
        assert not may_ask_for_token(admin, desk.namespace, "default")
    finally:
        north.kill()
        for role in ("view", "system-service-account-issuer-discovery"):
            admin.request("DELETE", f"{RBAC}/clusterrolebindings/kraut-east-{desk.namespace}-kraut-{role}")


def may_ask_for_token(admin, namespace, account):
    attributes = {
        "namespace": namespace,
        "verb": "create",
        "name": account,
        "resource": "serviceaccounts",
        "subresource": "token",
    }
    spec = {"user": "system:serviceaccount:kraut-system:kraut-worker", "resourceAttributes": attributes}
    review = {"kind": "SubjectAccessReview", "spec": spec}
    return created(admin, "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"]


def test_connect_refuses_two_clusters_with_one_issuer(desk, site, west, tmp_path):
    connect = Connect(site, desk.namespace, west, site.kubeconfig, tmp_path)
    assert "an issuer of its own" in connect("--export", code=1).stderr
    assert "leave out --dry-run" in connect("--export", "--dry-run", code=2).stderr
