"""What the API server makes of the definitions: stored objects read back, statuses written, tables for people."""

import json
import subprocess
import sysconfig
from pathlib import Path

import pytest

from kraut_core.api.kinds import all_kinds, kind_named
from kraut_core.crd import all_definitions

pytestmark = pytest.mark.integration

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJc1kLZ7 root@web-1"
NOW = "2026-01-31T22:00:00Z"
CONDITION = {
    "type": "Ready",
    "status": "True",
    "observedGeneration": 1,
    "lastTransitionTime": NOW,
    "reason": "Succeeded",
    "message": "The host is reached and trusted.",
}
STATUS = {
    "Cluster": {
        "observedGeneration": 1,
        "lastHandledRequest": NOW,
        "observedReferences": [{"kind": "Secret", "name": "east", "uid": "u-1", "version": "12"}],
        "conditions": [CONDITION],
        "reachable": True,
        "version": "v1.37.2",
        "issuer": "https://oidc.east.example.com",
        "username": "kraut:home:system:serviceaccount:default:kraut",
        "workflowID": "home/Cluster/default/east",
    },
    "Host": {
        "observedGeneration": 1,
        "lastHandledRequest": NOW,
        "observedReferences": [{"kind": "Secret", "name": "web", "uid": "u-1", "version": "12"}],
        "conditions": [CONDITION],
        "hostInfo": {
            "machineID": "0f" * 16,
            "systemUUID": "6f2c6e0e-5d0b-4a0e-9f3b-5b7a7e0a3b52",
            "bootID": "7f2c6e0e-5d0b-4a0e-9f3b-5b7a7e0a3b52",
            "kernelVersion": "6.1.0-37-amd64",
            "architecture": "amd64",
            "osImage": "Debian GNU/Linux 12 (bookworm)",
            "osID": "debian",
            "osVersion": "12",
            "osCodename": "bookworm",
        },
        "capacity": {"cpu": 2, "memoryBytes": 2**36, "diskBytes": 2**44},
        "packages": {
            "pending": 7,
            "security": 3,
            "held": ["linux-image-amd64"],
            "broken": True,
            "listsRefreshedAt": NOW,
        },
        "rebootRequired": True,
        "rebootRequiredBy": ["libc6"],
        "hostKeys": [KEY],
        "claimedBy": {"name": "east", "uid": "u-2"},
        "fencingToken": 2**40,
        "operations": [
            {
                "id": "8f2c6e0e-5d0b-4a0e-9f3b-5b7a7e0a3b52",
                "type": "Reboot",
                "result": "Succeeded",
                "startTime": NOW,
                "completionTime": NOW,
                "exitCode": 0,
                "bootID": "7f2c6e0e-5d0b-4a0e-9f3b-5b7a7e0a3b52",
                "generation": 1,
                "workflowID": "home/Host/default/web-1",
                "message": "The boot id changed.",
            }
        ],
        "failures": 1,
        "lastRequestTime": NOW,
        "workflowID": "home/Host/default/web-1",
    },
    "UpgradePolicy": {
        "reservations": [{"kind": "Host", "name": "web-1", "uid": "u-3", "since": NOW, "fencingToken": 7}]
    },
}
SPEC = {
    "Cluster": {"access": {"kubeconfig": {"secretRef": {"name": "east"}}}},
    "Host": {"address": "198.18.0.1", "credentialsRef": {"name": "web"}, "hostKeys": [KEY]},
    "UpgradePolicy": {},
}
KINDS = [pytest.param(kind, id=kind.name) for kind in all_kinds()]


def schema_of(kind, part):
    root = next(item for item in all_definitions() if item["spec"]["names"]["kind"] == kind.name)
    return root["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part]


def field_paths(schema, path=()):
    schema = schema.get("items", schema)
    found = {path} if path else set()
    return found.union(*(field_paths(value, (*path, key)) for key, value in schema.get("properties", {}).items()))


def value_paths(value, path=()):
    found = {path} if path else set()
    if isinstance(value, dict):
        return found.union(*(value_paths(item, (*path, key)) for key, item in value.items()))
    if isinstance(value, list):
        return found.union(*(value_paths(item, path) for item in value))
    return found


def collection(kind, namespace):
    return kind.path.replace("/v1alpha1/", f"/v1alpha1/namespaces/{namespace}/")


def created(admin, kind, namespace, name="web-1", **metadata):
    body = {
        "apiVersion": "kraut.dev/v1alpha1",
        "kind": kind.name,
        "metadata": {"name": name, **metadata},
        "spec": SPEC[kind.name],
    }
    status, answer = admin.request("POST", f"{collection(kind, namespace)}?fieldValidation=Strict", body)
    assert status == 201, answer
    return answer


def with_status(admin, kind, namespace):
    stored = created(admin, kind, namespace)
    path = f"{collection(kind, namespace)}/web-1/status?fieldValidation=Strict"
    status, answer = admin.request("PUT", path, {**stored, "status": STATUS[kind.name]})
    assert status == 200, answer
    return answer


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_of_the_server_are_those_of_the_model(admin, namespace, kind):
    stored = created(admin, kind, namespace)
    assert kind.model.model_validate(stored).spec == kind.model.model_validate({**stored, "spec": SPEC[kind.name]}).spec
    assert "status" not in stored


def test_an_absent_object_is_given_its_nested_defaults(admin, namespace):
    stored = created(admin, kind_named("Host"), namespace)
    assert stored["spec"]["operatingSystem"] == {"updates": "None", "rebootPolicy": "IfRequired"}
    assert "maintenance" not in stored["spec"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_the_status_is_written_stored_and_read(admin, namespace, kind):
    assert value_paths(STATUS[kind.name]) == field_paths(schema_of(kind, "status")), "name every field in STATUS"
    stored = with_status(admin, kind, namespace)
    assert stored["status"] == STATUS[kind.name]
    model = kind.model.model_validate(stored)
    assert model.status.model_dump(mode="json", by_alias=True) == STATUS[kind.name]


@pytest.mark.parametrize("kind", KINDS)
def test_a_status_is_given_no_defaults(admin, namespace, kind):
    stored = created(admin, kind, namespace)
    status, answer = admin.request("PUT", f"{collection(kind, namespace)}/web-1/status", {**stored, "status": {}})
    assert status == 200, answer
    assert answer["status"] == {}
    assert kind.model.model_validate(answer).status is not None


@pytest.mark.parametrize("kind", KINDS)
def test_spec_and_status_have_separate_doors(admin, namespace, kind):
    stored = with_status(admin, kind, namespace)
    path = f"{collection(kind, namespace)}/web-1"
    changed = {**stored, "spec": {**stored["spec"], "paused": True, "backoffLimit": 1}, "status": {}}
    status, answer = admin.request("PUT", f"{path}/status?fieldValidation=Ignore", changed)
    assert status == 200, answer
    assert answer["spec"] == stored["spec"]
    status, answer = admin.request("PUT", f"{path}?fieldValidation=Ignore", {**answer, "status": STATUS[kind.name]})
    assert status == 200, answer
    assert answer["status"] == {}


@pytest.mark.parametrize("kind", KINDS)
def test_the_definition_is_established_and_structural(admin, kind):
    status, answer = admin.request("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{kind.crd_name}")
    assert status == 200
    conditions = {item["type"]: item["status"] for item in answer["status"]["conditions"]}
    assert conditions["NamesAccepted"] == conditions["Established"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"


def kubectl(control_plane, *arguments):
    program = Path(sysconfig.get_path("scripts")) / "kubectl"
    config = control_plane.kubeconfig()
    argv = [program, f"--kubeconfig={config}", f"--cache-dir={config.parent / '.cache'}", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin"}).stdout


def test_kubectl_shows_a_host_in_its_columns(admin, control_plane, namespace):
    with_status(admin, kind_named("Host"), namespace)
    header, row = kubectl(control_plane, "get", "kh", "-n", namespace).splitlines()
    assert header.split() == [
        "NAME",
        "ADDRESS",
        "OS",
        "KERNEL",
        "PENDING",
        "SECURITY",
        "REBOOT",
        "CLUSTER",
        "READY",
        "AGE",
    ]
    assert "Debian GNU/Linux 12 (bookworm)" in row
    assert row.split()[-6:-1] == ["7", "3", "true", "east", "True"]


def test_kubectl_knows_category_wait_and_explain(admin, control_plane, namespace):
    for kind in all_kinds():
        with_status(admin, kind, namespace)
    everything = kubectl(control_plane, "get", "kraut", "-n", namespace, "-o", "name").split()
    assert everything == [f"{kind.name.lower()}.kraut.dev/web-1" for kind in all_kinds()]
    kubectl(control_plane, "wait", "host/web-1", "-n", namespace, "--for=condition=Ready", "--timeout=180s")
    assert "sshd is reached" in kubectl(control_plane, "explain", "hosts.kraut.dev.spec.address")


def test_applying_again_changes_nothing(admin, control_plane, namespace, tmp_path):
    manifest = tmp_path / "host.json"
    manifest.write_text(
        json.dumps(
            {
                "apiVersion": "kraut.dev/v1alpha1",
                "kind": "Host",
                "metadata": {"name": "web-2", "namespace": namespace},
                "spec": SPEC["Host"],
            }
        )
    )
    apply = ("apply", "--server-side", "-f", str(manifest))
    kubectl(control_plane, *apply)
    kubectl(control_plane, "diff", "--server-side", "-f", str(manifest))
    _, before = admin.request("GET", f"{collection(kind_named('Host'), namespace)}/web-2")
    kubectl(control_plane, *apply)
    _, after = admin.request("GET", f"{collection(kind_named('Host'), namespace)}/web-2")
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
