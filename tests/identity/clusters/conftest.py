"""A Cluster as a person writes it and the worker looks at it, and `kraut cluster connect`: real API servers, real TLS, a real Dex."""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import subprocess
import sys

import pytest
import structlog
import yaml
from prometheus_client import CollectorRegistry

from kraut_core.api.conditions import find
from kraut_core.api.conformance import assert_conformance
from kraut_core.api.v1alpha1.cluster import Cluster
from kraut_core.identity.authentication import build_configuration
from kraut_core.identity.issuers import parse_networks
from kraut_core.kube.client import KubeClient
from kraut_core.kube.testing import point_kubeconfig
from kraut_lab.controlplane.anotherserver import AnotherApiServer
from kraut_lab.controlplane.kubeconfig import write_token_kubeconfig
from kraut_worker.activities.clusters import ClusterActivitiesAtHome
from kraut_worker.adapters.kube import Accesses, HttpsClusterProber
from kraut_worker.messages import AssessClusterInput, ClusterName
from kraut_worker.metrics import WorkerMetrics

WEST = "https://api.west.example.com"
ACCOUNT = "kraut"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
PATIENCE_SECONDS = 300

_numbers = itertools.count()


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
        if may_ask:
            self.allow_tokens_of(name)

    def allow_tokens_of(self, name):
        """The Role that `kraut cluster connect` writes at home."""
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

    def mend(self, name, access):
        """Correct the access of a Cluster."""
        path = f"/apis/kraut.dev/v1alpha1/namespaces/{self.namespace}/clusters/{name}"
        merge = "application/merge-patch+json"
        status, answer = self.admin.request("PATCH", path, {"spec": {"access": access}}, merge)
        assert status == 200, answer

    async def look(self, name):
        before = await self.kube.get(Cluster, self.namespace, name)
        question = AssessClusterInput(cluster=ClusterName(home="home", namespace=self.namespace, name=name))
        assessment = await self.worker.look(question, f"home/Cluster/{self.namespace}/{name}")
        cluster = await self.kube.get(Cluster, self.namespace, name)
        assert_conformance(cluster, before)
        ready = find(cluster.status.conditions, "Ready")
        self.left += [assessment.model_dump_json(), cluster.model_dump_json()]
        return cluster.status, ready

    async def until(self, name, reason, *, issuer=True):
        """Roles and keys of issuers come into force a moment later; ``issuer``: wait until kraut may read it, too."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                status, ready = await self.look(name)
                if ready.reason == reason and (reason != "Reachable" or status.issuer or not issuer):
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
        # The name of a method has in it what every token begins with.
        left = json.dumps([logs, events, desk.left], default=str).replace("PrivateKeyJWT", "")
        assert "eyJ" not in left, "a token"
        assert "PRIVATE KEY" not in left


@pytest.fixture
def direct(site, west):
    ca = encoded(site.cluster_ca.read_bytes())
    return {"server": west.url, "caBundle": ca, "audience": WEST, "serviceAccountName": ACCOUNT}


@pytest.fixture
def exchange(site, direct):
    """The same cluster through Dex; ``exchange(client)``: as which client."""

    def make(client="west"):
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
        shown = {"method": "ClientSecretBasic", "clientID": client, "secretRef": {"name": "dex"}}
        return {**direct, "audience": client, "provider": provider, "clientAuthentication": shown}

    return make


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


class Target:
    """A cluster of its own, with other objects than east and west, that trusts nobody until its file says so."""

    def __init__(self, control_plane, folder):
        self.server = AnotherApiServer(control_plane, "target")
        self.url = self.server.url
        self.admin = self.server.admin
        self.file = folder / "authentication.yaml"
        self.kubeconfig = point_kubeconfig(control_plane.kubeconfig(), self.url, folder / "target.kubeconfig")
        self.trust()

    def trust(self, *entries):
        """Trust these and nobody else."""
        self.file.write_text(yaml.safe_dump(build_configuration(entries)))

    def start(self, prefix):
        self.server.start(more={"authentication-config": str(self.file), "etcd-prefix": prefix})


@pytest.fixture(scope="package")
def target(control_plane, tmp_path_factory):
    found = Target(control_plane, tmp_path_factory.mktemp("target"))
    with contextlib.ExitStack() as stack:
        stack.callback(found.server.kill)
        found.start(f"/target-{next(_numbers)}")
        yield found


class Connect:
    """`kraut cluster connect` from east, as a person runs it."""

    def __init__(self, site, namespace, target, folder):
        self.argv = [sys.executable, "-m", "kraut_cli", "cluster", "connect", "--home-name=east"]
        self.argv += [f"--target-kubeconfig={target.kubeconfig}", f"--issuer-ca={site.ca}"]
        self.argv += [f"--kubeconfig={site.kubeconfig}", "-n", namespace]
        self.environment = {**os.environ, "HOME": str(folder), "NO_COLOR": "1"}

    def __call__(self, name, *words, code=0):
        done = subprocess.run(
            [*self.argv, name, *words], capture_output=True, text=True, check=False, timeout=300, env=self.environment
        )
        assert done.returncode == code, done.stderr
        assert "eyJ" not in done.stdout + done.stderr, "a token"
        return done


@pytest.fixture
def connect(site, namespace, target, tmp_path):
    """``connect(name, *options, code=0)``: to the cluster `target`."""
    return Connect(site, namespace, target, tmp_path)


@pytest.fixture
def provider_file(exchange, tmp_path):
    """What --provider takes: ``provider_file(client)`` of Dex."""

    def write(client):
        access = exchange(client)
        file = tmp_path / "provider.yaml"
        file.write_text(yaml.safe_dump({name: access[name] for name in ("provider", "clientAuthentication")}))
        return file

    return write
