"""Commands against a real kube-apiserver."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml
from sample import EVENTS, KEY, LOG

pytestmark = pytest.mark.integration

HOST = {
    "apiVersion": "kraut.dev/v1alpha1",
    "kind": "Host",
    "metadata": {"name": "web1", "labels": {"tier": "web"}},
    "spec": {"address": "192.0.2.10", "hostKeys": [KEY], "credentialsRef": {"name": "web1-ssh"}},
}

INVENTORY = """
all:
  vars: {ansible_user: ops}
web:
  hosts:
    web[1:2]: {ansible_host: 192.0.2.1}
"""


@pytest.fixture
def web1(kraut):
    kraut.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(HOST))
    return kraut


def answer(kraut, name, *conditions):
    """Write a status, as the worker does."""
    item = json.loads(kraut.kubectl("get", "hosts.kraut.dev", name, "-o", "json").stdout)
    moment = item["metadata"]["creationTimestamp"]
    status = {
        "observedGeneration": item["metadata"]["generation"],
        "lastHandledRequest": item["metadata"].get("annotations", {}).get("kraut.dev/requested-at", ""),
        "conditions": [
            {
                "type": type_,
                "status": status,
                "reason": reason,
                "message": message,
                "lastTransitionTime": moment,
                "observedGeneration": 1,
            }
            for type_, status, reason, message in conditions
        ],
    }
    patch = json.dumps({"status": status})
    kraut.kubectl("patch", "hosts.kraut.dev", name, "--subresource=status", "--type=merge", "-p", patch)


def answer_request(kraut, name, *conditions):
    """Answer the next request, in a thread of its own."""

    def wait_and_answer():
        jsonpath = r"jsonpath={.metadata.annotations.kraut\.dev/requested-at}"
        kraut.kubectl("wait", "hosts.kraut.dev", name, f"--for={jsonpath}", "--timeout=250s")
        answer(kraut, name, *conditions)

    thread = threading.Thread(target=wait_and_answer)
    thread.start()
    return thread


def test_get_in_every_format(web1):
    table = web1("get", "hosts", check=0).stdout.splitlines()
    assert table[0].split() == [
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
    assert table[1].split()[:2] == ["web1", "192.0.2.10"]
    assert web1("get", "hosts", "-o", "wide", check=0).stdout.splitlines()[0].split()[-3:] == [
        "REASON",
        "WORKING",
        "AGE",
    ]
    assert web1("get", "kh", "-o", "name", check=0).stdout == "host.kraut.dev/web1\n"
    one = json.loads(web1("get", "host/web1", "-o", "json", check=0).stdout)
    assert (one["kind"], one["spec"]["port"]) == ("Host", 22)
    assert "managedFields" not in one["metadata"]
    listed = yaml.safe_load(web1("get", "hosts", "-o", "yaml", check=0).stdout)
    assert listed["kind"] == "List"
    assert listed["items"] == [one]


def test_what_get_writes_kubectl_takes(web1):
    written = web1("get", "-o", "yaml", check=0).stdout
    assert (
        web1.kubectl(
            "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-", stdin=written
        ).returncode
        == 0
    )
    names = web1("get", "-o", "name", check=0).stdout.split()
    assert web1.kubectl("get", *names, "-o", "name").stdout.split() == names


def test_a_selector_and_all_namespaces(web1):
    assert web1("get", "hosts", "-l", "tier=web", "-o", "name", check=0).stdout == "host.kraut.dev/web1\n"
    nothing = web1("get", "hosts", "-l", "tier=db", check=0)
    assert nothing.stdout == ""
    assert nothing.stderr == f"No resources found in namespace {web1.namespace}.\n"
    rows = web1("get", "hosts", "-A", namespaced=False, check=0).stdout.splitlines()
    assert [web1.namespace, "web1"] in [row.split()[:2] for row in rows]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["get", "host/nothere"], 1, 'error: hosts.kraut.dev "nothere" not found'),
        (["get", "hosts", "-l", "a=("], 1, "error: unable to parse requirement"),
        (["get", "host/Not_A_Name"], 1, "expected a name of lower-case letters"),
        (["get", "pods"], 2, "expected one of kraut's kinds"),
        (["get", "hosts", "web1", "-A"], 2, "a NAME means one namespace"),
        (["logs", "host/nothere"], 1, 'hosts.kraut.dev "nothere" not found'),
        (["logs", "web1"], 2, "expected KIND/NAME"),
        (["host", "test", "nothere"], 1, 'hosts.kraut.dev "nothere" not found'),
        (["host", "test", "nothere", "--timeout", "soon"], 2, "expected a duration"),
        (["get", "hosts", "--context", "nowhere"], 1, "check the file and the context"),
    ],
)
def test_exit_codes(kraut, words, code, said):
    result = kraut(*words)
    assert (result.returncode, result.stdout) == (code, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_an_api_server_that_is_not_there(kraut, tmp_path):
    config = yaml.safe_load(kraut.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(yaml.safe_dump(config))
    result = kraut("get", "hosts", "--kubeconfig", str(elsewhere), check=1)
    assert result.stderr.startswith("error: no answer from https://127.0.0.1:1")
    assert "check --kubeconfig and --context" in result.stderr


def test_the_namespace_of_the_context(web1, tmp_path):
    config = yaml.safe_load(web1.kubeconfig.read_text())
    config["contexts"][0]["context"]["namespace"] = web1.namespace
    mine = tmp_path / "config"
    mine.write_text(yaml.safe_dump(config))
    found = web1("get", "hosts", "-o", "name", "--kubeconfig", str(mine), namespaced=False, check=0)
    assert found.stdout == "host.kraut.dev/web1\n"


def test_events_of_krauts_resources_only(web1):
    assert "No events found" in web1("events", check=0).stderr
    for event in EVENTS:
        here = {**event, "metadata": {"name": event["metadata"]["name"], "namespace": web1.namespace}}
        here["regarding"] = {**event["regarding"], "namespace": web1.namespace}
        here["action"] = event.get("action", "Pull")
        here["reportingInstance"] = "test"
        here.setdefault("reportingController", "kubelet")
        if not event["eventTime"]:
            continue
        web1.kubectl("create", "-f", "-", stdin=json.dumps(here))
    lines = web1("events", "host/web1", check=0).stdout.splitlines()
    assert [line.split("host/web1")[1].strip() for line in lines[1:]] == [
        "12 updates were installed",
        "nobody listens on 192.0.2.10:22",
    ]
    assert len(json.loads(web1("events", "-o", "json", check=0).stdout)["items"]) == 2
    assert "No events found" in web1("events", "kup/slow", check=0).stderr


def test_logs_of_failed_operations(web1):
    assert "No failed operation" in web1("logs", "host/web1", check=0).stderr
    labels = {**LOG["metadata"]["labels"], "kraut.dev/kind": "Host", "kraut.dev/name": "web1"}
    web1.kubectl(
        "create", "-f", "-", stdin=json.dumps({**LOG, "metadata": {"name": LOG["metadata"]["name"], "labels": labels}})
    )
    text = web1("logs", "host/web1", "--operation", "3f2a", check=0).stdout
    assert "exit code 100" in text.splitlines()[0]
    assert text.endswith("you have held broken packages.\n")
    other = web1("logs", "host/web1", "--operation", "ffff", check=1)
    assert "found output of: 3f2a9c1e-6f0b-4c61-9a53-0c7f0a5d7f11" in other.stderr


@pytest.mark.parametrize(
    ("conditions", "code", "said"),
    [
        ([("Ready", "True", "Reachable", "answers as root")], 0, ""),
        (
            [
                ("Ready", "False", "HostKeyMismatch", "another key"),
                ("Stalled", "True", "HostKeyMismatch", "another key"),
            ],
            3,
            "error: HostKeyMismatch: another key",
        ),
        (
            [("Ready", "True", "Reachable", "answers"), ("Stalled", "True", "HostIsClusterNode", "a kubelet")],
            3,
            "error: HostIsClusterNode: a kubelet",
        ),
    ],
)
def test_host_test_asks_waits_and_reports(web1, conditions, code, said):
    answering = answer_request(web1, "web1", *conditions)
    result = web1("host", "test", "web1", "--timeout", "250s")
    answering.join()
    assert result.returncode == code
    assert result.stdout.startswith("web1 (kraut@192.0.2.10:22): kraut can")
    assert said in result.stderr
    # The request is the person's own: the spec, and who manages it, stay as they are.
    item = json.loads(web1.kubectl("get", "hosts.kraut.dev", "web1", "-o", "json").stdout)
    assert item["metadata"]["generation"] == 1


def test_host_test_times_out(web1):
    result = web1("host", "test", "web1", "--timeout", "1s", check=3)
    assert "timed out after 1 s" in result.stderr
    assert result.stdout == ""


def test_an_inventory_becomes_hosts(kraut, tmp_path):
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(INVENTORY)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/known_hosts").write_text(f"192.0.2.1 {KEY}\n")
    words = ["host", "import", "-i", str(inventory), "--credentials-secret", "fleet-ssh"]
    printed = list(yaml.safe_load_all(kraut(*words, check=0).stdout))
    assert [host["metadata"]["name"] for host in printed] == ["web1", "web2"]
    assert "No resources" in kraut("get", "hosts").stderr
    assert kraut(*words, "--apply", check=0).stdout == "host.kraut.dev/web1 applied\nhost.kraut.dev/web2 applied\n"
    host = json.loads(kraut("get", "host/web2", "-o", "json", check=0).stdout)
    assert (host["spec"]["user"], host["spec"]["hostKeys"]) == ("ops", [KEY])
    assert host["metadata"]["labels"] == {"group.kraut.dev/web": ""}
    assert kraut(*words, "--apply", "--limit", "web1", "-o", "name", check=0).stdout == "host.kraut.dev/web1\n"


def test_updates_need_a_yes_that_names_the_hosts(kraut, tmp_path):
    words = ["host", "import", "-i", "-", "--credentials-secret", "s", "--accept-new", "--updates", "All", "--apply"]
    refused = kraut(*words, stdin="web1\nweb2\n", check=1)
    assert "install all updates and reboot" in refused.stderr
    assert "(web1, web2): this needs a yes" in refused.stderr
    assert "No resources" in kraut("get", "hosts").stderr
    kraut(*words, "--yes", stdin="web1\nweb2\n", check=0)
    assert len(kraut("get", "hosts", "-o", "name").stdout.split()) == 2


def test_a_field_that_somebody_else_manages(web1):
    owned = {**HOST, "metadata": {"name": "web1"}, "spec": {**HOST["spec"], "site": "east"}}
    web1.kubectl(
        "apply", "--server-side", "--field-manager=flux", "--force-conflicts", "-f", "-", stdin=json.dumps(owned)
    )
    words = [
        "host",
        "import",
        "-i",
        "-",
        "--credentials-secret",
        "web1-ssh",
        "--accept-new",
        "--apply",
        "--site",
        "west",
    ]
    result = web1(*words, stdin="web1 ansible_host=192.0.2.10\n", check=1)
    assert 'conflict with "flux": .spec.site' in result.stderr
    assert "change these fields where they are managed" in result.stderr


def test_a_policy_of_the_cluster_that_says_no_is_exit_code_4(kraut):
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": kraut.namespace},
        "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": kraut.namespace}},
                "resourceRules": [
                    {
                        "apiGroups": ["kraut.dev"],
                        "apiVersions": ["*"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": ["hosts"],
                    }
                ],
            },
            "validations": [{"expression": "false", "message": "change freeze until Monday"}],
        },
    }
    binding = {
        **policy,
        "kind": "ValidatingAdmissionPolicyBinding",
        "spec": {"policyName": kraut.namespace, "validationActions": ["Deny"]},
    }
    kraut.kubectl(
        "create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [policy, binding]})
    )
    words = ["host", "import", "-i", "-", "--credentials-secret", "s", "--accept-new", "--apply"]
    try:
        # The API server takes a moment to notice a policy: each try that it lets through is one more host.
        codes = (kraut(*words, stdin=f"web{number}\n") for number in range(100))
        denied = next(result for result in codes if result.returncode != 0)
    finally:
        kraut.kubectl("delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", kraut.namespace)
    assert denied.returncode == 4
    assert "change freeze until Monday" in denied.stderr


def test_kubectl_runs_it_as_its_plugin(web1):
    programs = Path(sys.executable).parent
    environment = {**web1.environment, "PATH": f"{programs}:{web1.environment['PATH']}"}

    def kubectl(*words):
        return subprocess.run(
            [programs / "kubectl", *words], capture_output=True, text=True, env=environment, check=True
        )

    assert kubectl("kraut", "get", "hosts", "-o", "name", "-n", web1.namespace).stdout == "host.kraut.dev/web1\n"
    assert "Usage: kubectl kraut get" in kubectl("kraut", "get", "--help").stdout


def test_version_says_what_the_server_is(kraut):
    versions = json.loads(kraut("version", "-o", "json", check=0).stdout)
    assert versions["kubernetes"].startswith("v1.")
    assert {"kraut-cli", "kraut-core"} <= set(versions)


def test_output_into_a_closed_pipe_ends_quietly(web1):
    shell = f"{sys.executable} -m kraut_cli get hosts -o yaml -n {web1.namespace} | true"
    result = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, env=web1.environment, check=False)
    assert result.stderr == ""
