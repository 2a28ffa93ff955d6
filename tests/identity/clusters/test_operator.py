"""From kubectl to a Cluster's status and back: real operator, worker and Temporal, with the identities that they are shipped with."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.contrib.pydantic import pydantic_data_converter

from kraut_core.api.conformance import assert_conformance
from kraut_core.api.v1alpha1.cluster import Cluster
from kraut_core.contracts.reconcile import workflow_id
from kraut_lab.components import Component
from kraut_lab.controlplane.kubeconfig import write_token_kubeconfig
from kraut_operator.testing.cluster import signals

pytestmark = pytest.mark.integration

PATIENCE_SECONDS = 300


@pytest.fixture(scope="module")
def installed(site, admin, control_plane, temporal_server, tmp_path_factory):
    """kraut in cluster east, for one namespace. ``env`` is a client of Temporal and the names that both processes use."""
    status, made = admin.request("POST", "/api/v1/namespaces", {"metadata": {"generateName": "clusters-"}})
    assert status == 201, made
    namespace = made["metadata"]["name"]
    folder = tmp_path_factory.mktemp("installed")
    components = []
    try:
        for name in ("operator", "worker"):
            config = folder / f"{name}.kubeconfig"
            user = f"kraut-{name}"
            token = site.server.token("kraut-system", user, site.issuer)
            where = {"server": site.server.url, "ca": site.cluster_ca, "namespace": "kraut-system"}
            write_token_kubeconfig(config, user=user, token=token, **where)
            components.append(Component(name, control_plane, temporal_server, instance=namespace))
            components[-1].start(env=environment(config, namespace))
        yield SimpleNamespace(namespace=namespace, log=components[1].log, address=temporal_server.address)
    finally:
        for component in components:
            component.stop(grace=0)
        admin.request("DELETE", f"/api/v1/namespaces/{namespace}")


def environment(kubeconfig: Path, namespace: str) -> dict[str, str]:
    return {
        "KUBECONFIG": str(kubeconfig),
        "KRAUT_KUBE_KUBECONFIG": str(kubeconfig),
        "KRAUT_HOME_ID": namespace,
        "KRAUT_OPERATOR_NAMESPACES": namespace,
        "KRAUT_OPERATOR_LEADER_ELECTION": "false",
        "KRAUT_WORKER_PROVIDER_NETWORKS": "127.0.0.0/8",
    }


@pytest.fixture
def namespace(installed):
    """The namespace that kraut serves, which `connect` writes into."""
    return installed.namespace


@pytest.fixture
def unserved(admin):
    """A namespace in which nobody looks."""
    status, made = admin.request("POST", "/api/v1/namespaces", {"metadata": {"generateName": "unserved-"}})
    assert status == 201, made
    yield made["metadata"]["name"]
    admin.request("DELETE", f"/api/v1/namespaces/{made['metadata']['name']}")


class Person:
    """What a person does with kubectl in the namespace that kraut serves."""

    def __init__(self, kubectl, config, namespace):
        self._run = lambda *words, stdin=None: kubectl(config, "-n", namespace, *words, stdin=stdin)

    async def __call__(self, *words, stdin=None):
        done = await asyncio.to_thread(self._run, *words, stdin=stdin)
        assert done.returncode == 0, f"kubectl {words}: {done.stderr}"
        return done.stdout

    async def applies(self, kind, name, **body):
        version = "v1" if kind == "Secret" else "kraut.dev/v1alpha1"
        document = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **body}
        await self("apply", "--server-side", "-f", "-", stdin=json.dumps(document))

    async def account(self, name, *, exists=True):
        """Lets kraut-worker ask for tokens of an account."""
        verbs = ["--verb=create", "--resource=serviceaccounts/token", f"--resource-name={name}"]
        await self("create", "role", name, *verbs)
        await self("create", "rolebinding", name, f"--role={name}", "--serviceaccount=kraut-system:kraut-worker")
        if exists:
            await self("create", "serviceaccount", name)

    async def waits(self, name, reason):
        """Until Ready says so, for the present generation."""
        of_ready = "{.status.conditions[?(@.type=='Ready')].reason}"
        limit = f"--timeout={PATIENCE_SECONDS}s"
        await self("wait", f"--for=jsonpath={of_ready}={reason}", limit, f"clusters.kraut.dev/{name}")
        found = await self.reads(name)
        assert_conformance(Cluster.model_validate(found))
        return found

    async def reads(self, name):
        return json.loads(await self("get", f"clusters.kraut.dev/{name}", "-o", "json"))


@pytest.fixture
def person(kubectl, site, namespace):
    return Person(kubectl, site.kubeconfig, namespace)


@pytest.fixture
async def temporal(installed):
    return await Client.connect(installed.address, data_converter=pydantic_data_converter)


async def until(condition):
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():
            await asyncio.sleep(0.3)


async def test_a_cluster_is_seen_answered_healed_and_let_go(installed, person, temporal, direct):
    """Apply, status; what is mended elsewhere heals with nobody telling kraut; a change of the spec is answered; deletion ends it."""
    await person.account("kraut-west", exists=False)
    access = {"direct": {**direct, "serviceAccountName": "kraut-west"}}
    await person.applies("Cluster", "west", spec={"access": access})
    found = await person.waits("west", "ServiceAccountNotFound")
    assert found["status"]["observedGeneration"] == 1
    await person("create", "serviceaccount", "kraut-west")
    found = await person.waits("west", "Reachable")
    assert found["status"]["version"]
    place = (installed.namespace, "Cluster", installed.namespace, "west")
    assert found["status"]["workflowID"] == workflow_id(*place)
    columns = await person("get", "kcl", "west", "-o", "wide")
    assert "Reachable" in columns

    await person.applies("Cluster", "west", spec={"access": access, "issuer": "https://another.example.com"})
    found = await person.waits("west", "IssuerHidden")
    assert (found["metadata"]["generation"], found["status"]["observedGeneration"]) == (2, 2)
    await person.applies("Cluster", "west", spec={"access": access})
    await person.waits("west", "Reachable")

    await person("delete", "clusters.kraut.dev/west")
    handle = temporal.get_workflow_handle(workflow_id(*place))

    async def ended():
        return (await handle.describe()).status == WorkflowExecutionStatus.COMPLETED

    await until(ended)
    reasons = [signal.reason for signal in await signals(temporal, *place)]
    assert "Deleted" in reasons
    assert "eyJ" not in installed.log.read_text(), "a token"


async def test_a_new_secret_wakes_the_clusters_that_use_it(installed, person, temporal, site, exchange):
    await person.account("kraut")
    await person.applies("Secret", "dex", stringData={"client-secret": "not-the-secret-of-west"})
    await person.applies("Cluster", "through-dex", spec={"access": {"exchange": exchange()}})
    await person.waits("through-dex", "ExchangeClientRefused")
    await person.applies("Secret", "dex", stringData={"client-secret": site.dex.secret_file("west").read_text()})
    await person.waits("through-dex", "Reachable")
    place = (installed.namespace, "Cluster", installed.namespace, "through-dex")
    assert "Reference" in [signal.reason for signal in await signals(temporal, *place)]
    assert "not-the-secret-of-west" not in installed.log.read_text()


async def test_connect_waits_until_kraut_has_reached_it(target, connect, person, unserved):
    target.trust()
    waiting = ("waiting", "--audience=https://waiting.example.com")

    nobody = connect(*waiting, "--wait", "--timeout=1s", "-n", unserved, code=3)
    assert "timed out after 1 s: waiting: kraut has not looked at it yet (is kraut-operator running?)" in nobody.stderr

    connect(*waiting)
    await person.waits("waiting", "Unauthorized")
    untrusted = connect(*waiting, "--wait", "--timeout=1s", code=3)
    for word in ("timed out after 1 s: waiting: Unauthorized", target.url, "AuthenticationConfiguration should trust"):
        assert word in untrusted.stderr

    options = (*waiting, f"--authentication-config={target.file}", "--wait", f"--timeout={PATIENCE_SECONDS}s")
    done = await asyncio.to_thread(connect, *options)
    assert "waiting for kraut to reach it" in done.stderr
    found = await person.reads("waiting")
    assert [held["status"] for held in found["status"]["conditions"] if held["type"] == "Ready"] == ["True"]
