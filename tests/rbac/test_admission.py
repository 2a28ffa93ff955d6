"""What RBAC cannot say is said by admission: kraut's accounts keep their hands off what belongs to people."""

import time

import pytest

from kraut_core.manifests import admission

pytestmark = pytest.mark.integration

MERGE = "application/merge-patch+json"
HOSTS = "/apis/kraut.dev/v1alpha1/namespaces/{}/hosts"
PERSONS = {"labels": {"team": "web"}, "annotations": {"note": "rack 7"}, "finalizers": ["example.com/keep"]}
SPEC = {"address": "198.18.0.1", "credentialsRef": {"name": "web"}, "hostKeyPolicy": "TrustOnFirstUse"}


def host(name="web-1", **metadata):
    return {
        "apiVersion": "kraut.dev/v1alpha1",
        "kind": "Host",
        "metadata": {"name": name, **metadata},
        "spec": SPEC,
    }


@pytest.fixture(scope="module", autouse=True)
def policies(admin, as_component):
    """Applied, and in force: the API server reads policies a moment after they were written."""
    plural = {
        "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
        "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
    }
    for document in admission():
        path = f"/apis/admissionregistration.k8s.io/v1/{plural[document['kind']]}/{document['metadata']['name']}"
        status, answer = admin.request(
            "PATCH", f"{path}?fieldManager=test&force=true", document, "application/apply-patch+yaml"
        )
        assert status in {200, 201}, answer
    admin.request("POST", HOSTS.format("default"), host("probe"))
    worker = as_component("worker")
    attempts = (
        lambda: worker.request("PATCH", f"{HOSTS.format('default')}/probe?dryRun=All", {"spec": {"port": 23}}, MERGE),
        lambda: worker.request("POST", "/api/v1/namespaces/default/configmaps?dryRun=All", {"metadata": {"name": "a"}}),
    )
    deadline = time.monotonic() + 300
    while any(attempt()[0] < 400 for attempt in attempts):
        assert time.monotonic() < deadline, "the admission policies never came into force"
        time.sleep(0.1)


@pytest.fixture
def stored(admin, namespace):
    status, answer = admin.request("POST", HOSTS.format(namespace), host(**PERSONS))
    assert status == 201, answer
    yield answer
    path = f"{HOSTS.format(namespace)}/web-1"
    admin.request("PATCH", path, {"metadata": {"finalizers": None}}, MERGE)


@pytest.mark.parametrize(
    ("patch", "sentence"),
    [
        ({"spec": {"paused": True}}, "never changes the spec"),
        ({"metadata": {"labels": {"kraut.dev/seen": "1"}}}, "never changes the labels"),
        ({"metadata": {"labels": None}}, "never changes the labels"),
        ({"metadata": {"annotations": {"kraut.dev/requested-at": "now"}}}, "never changes the annotations"),
        ({"metadata": {"finalizers": []}}, "no others"),
        ({"metadata": {"finalizers": ["example.com/keep", "example.com/more"]}}, "no others"),
        (
            {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "u"}]}},
            "never changes the owners",
        ),
    ],
)
def test_what_belongs_to_people_stays(as_component, namespace, stored, patch, sentence):
    status, answer = as_component("worker").request("PATCH", f"{HOSTS.format(namespace)}/web-1", patch, MERGE)
    assert (status, answer["reason"]) == (422, "Invalid"), answer
    assert sentence in answer["message"]


def test_a_finalizer_of_krauts_comes_and_goes(as_component, namespace, stored):
    worker, path = as_component("worker"), f"{HOSTS.format(namespace)}/web-1"
    for finalizers in (["example.com/keep", "kraut.dev/host"], ["example.com/keep"]):
        status, answer = worker.request("PATCH", path, {"metadata": {"finalizers": finalizers}}, MERGE)
        assert status == 200, answer
        assert answer["metadata"]["finalizers"] == finalizers


def test_the_status_is_krauts_and_carries_nothing_else(as_component, namespace, stored):
    changed = {**stored, "spec": {**SPEC, "paused": True}, "status": {"failures": 1}}
    changed["metadata"] = {**stored["metadata"], "labels": {}, "annotations": {}}
    status, answer = as_component("worker").request("PUT", f"{HOSTS.format(namespace)}/web-1/status", changed)
    assert status == 200, answer
    assert answer["status"] == {"failures": 1}
    assert answer["spec"] == stored["spec"]
    assert {key: answer["metadata"][key] for key in PERSONS} == PERSONS


def test_people_are_not_held_back(admin, namespace, stored):
    path = f"{HOSTS.format(namespace)}/web-1"
    status, answer = admin.request("PATCH", path, {"spec": {"paused": True}, "metadata": {"labels": None}}, MERGE)
    assert status == 200, answer


def owned_by(owner, name="web-1-operation-1"):
    reference = {"kind": owner["kind"], "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "ownerReferences": [{"apiVersion": owner["apiVersion"], **reference}],
        },
        "data": {"output": "E: Unable to fetch some archives"},
    }


def test_configmaps_that_a_resource_owns_are_krauts(as_component, namespace, stored):
    worker, path = as_component("worker"), f"/api/v1/namespaces/{namespace}/configmaps"
    status, answer = worker.request("POST", path, owned_by(stored))
    assert status == 201, answer
    status, answer = worker.request("PUT", f"{path}/web-1-operation-1", {**answer, "data": {"output": "more"}})
    assert status == 200, answer
    status, answer = worker.request("DELETE", f"{path}/web-1-operation-1")
    assert status == 200, answer


def test_configmaps_of_others_are_not(admin, as_component, namespace, stored):
    worker, path = as_component("worker"), f"/api/v1/namespaces/{namespace}/configmaps"
    persons = {"metadata": {"name": "settings"}, "data": {"a": "b"}}
    status, answer = admin.request("POST", path, persons)
    assert status == 201, answer
    adopted = owned_by(stored, "settings")
    for attempt in (
        worker.request("POST", path, {"metadata": {"name": "mine"}}),
        worker.request("PUT", f"{path}/settings", {**answer, "data": {"a": "c"}}),
        worker.request("PUT", f"{path}/settings", adopted),
        worker.request("DELETE", f"{path}/settings"),
    ):
        assert attempt[0] == 422, attempt[1]
        assert "that a resource of kraut's owns" in attempt[1]["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/namespaces/default/secrets"),
        ("GET", "/api/v1/secrets"),
        ("POST", "/api/v1/namespaces/default/secrets"),
        ("GET", "/api/v1/namespaces"),
        ("GET", "/api/v1/namespaces/default"),
        ("POST", "/apis/kraut.dev/v1alpha1/namespaces/default/hosts"),
        ("DELETE", "/apis/kraut.dev/v1alpha1/namespaces/default/hosts/probe"),
        ("PUT", "/apis/kraut.dev/v1alpha1/namespaces/default/hosts/probe"),
        ("GET", "/api/v1/nodes"),
        ("POST", "/api/v1/namespaces/default/pods"),
        ("POST", "/api/v1/namespaces/kraut-system/serviceaccounts/kraut-operator/token"),
        ("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"),
        ("DELETE", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/kraut-resources"),
    ],
)
def test_the_worker_is_refused(as_component, method, path):
    body = {"metadata": {"name": "a"}} if method in {"POST", "PUT"} else None
    status, answer = as_component("worker").request(method, path, body)
    assert (status, answer["reason"]) == (403, "Forbidden"), answer
