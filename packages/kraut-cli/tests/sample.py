"""Hosts in the states that tests show."""

from datetime import UTC, datetime

NOW = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBGjWx52A+NYvkn+fyw3nAsW5FXESFVMJsdrYmw5BOS+"


def condition(type_, status, reason, message):
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": 2,
        "lastTransitionTime": "2026-03-04T11:00:00Z",
    }


def host(name, *, created="2026-03-01T12:00:00Z", status=None, **spec):
    item = {
        "apiVersion": "kraut.dev/v1alpha1",
        "kind": "Host",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": "5e5ad4c0-5a5c-4b32-a8f7-5f7d2b0a7a11",
            "resourceVersion": "42",
            "generation": 2,
            "creationTimestamp": created,
            "managedFields": [{"manager": "kraut-cli", "operation": "Apply"}],
        },
        "spec": {"address": "192.0.2.10", "credentialsRef": {"name": f"{name}-ssh"}, "hostKeys": [KEY], **spec},
    }
    return item if status is None else item | {"status": {"observedGeneration": 2, **status}}


FINE = host(
    "web1",
    operatingSystem={"updates": "Security"},
    status={
        "workflowID": "home/Host/default/web1",
        "hostInfo": {
            "osImage": "Debian GNU/Linux 12 (bookworm)",
            "kernelVersion": "6.1.0-18-amd64",
            "architecture": "amd64",
            "bootID": "b",
            "machineID": "m",
        },
        "capacity": {"cpu": 4, "memoryBytes": 8 * 2**30, "diskBytes": 40 * 2**30},
        "packages": {"pending": 12, "security": 3, "held": ["docker-ce"], "listsRefreshedAt": "2026-03-04T11:55:00Z"},
        "rebootRequired": True,
        "rebootRequiredBy": ["linux-image-amd64"],
        "operations": [
            {
                "id": "3f2a9c1e-6f0b-4c61-9a53-0c7f0a5d7f11",
                "type": "UpdatePackages",
                "result": "Succeeded",
                "startTime": "2026-03-04T10:00:00Z",
            }
        ],
        "conditions": [
            condition("Ready", "True", "Reachable", "Debian GNU/Linux 12 (bookworm) answers as root"),
            condition("UpToDate", "False", "UpdatesPending", "12 updates are pending, 3 of them security updates"),
            condition("Reconciling", "True", "WaitingForMaintenanceWindow", "the next window opens at 02:00"),
        ],
    },
)

REFUSED = host(
    "db1",
    address="192.0.2.20",
    port=2222,
    user="ops",
    status={
        "conditions": [
            condition("Ready", "False", "SudoPasswordRequired", "sudo on db1 asks for a password"),
            condition("Stalled", "True", "SudoPasswordRequired", "sudo on db1 asks for a password"),
        ]
    },
)

NODE = host(
    "node1",
    status={
        "hostInfo": {"osImage": "Debian GNU/Linux 12 (bookworm)", "kernelVersion": "6.1.0-18-amd64"},
        "claimedBy": {"name": "prod", "uid": "u"},
        "packages": {"pending": 0, "security": 0, "broken": True},
        "rebootRequired": False,
        "conditions": [
            condition("Ready", "True", "Reachable", "answers"),
            condition("Stalled", "True", "HostIsClusterNode", "this host runs a kubelet"),
        ],
    },
)

NEW = host("new1", created="2026-03-04T11:59:30Z", address="2001:db8::1")

POLICY = {
    "apiVersion": "kraut.dev/v1alpha1",
    "kind": "UpgradePolicy",
    "metadata": {"name": "slow", "namespace": "default", "creationTimestamp": "2026-03-04T10:00:00Z"},
    "spec": {"rollingUpdate": {"maxUnavailable": "25%"}, "minReadySeconds": 60},
}

EVENTS = [
    {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "web1.2", "namespace": "default", "creationTimestamp": "2026-03-04T11:58:00Z"},
        "eventTime": "2026-03-04T11:58:00.000000Z",
        "series": {"count": 3, "lastObservedTime": "2026-03-04T11:59:30.000000Z"},
        "type": "Warning",
        "reason": "ConnectionRefused",
        "action": "Connect",
        "note": "nobody listens on 192.0.2.10:22",
        "reportingController": "kraut.dev/worker",
        "regarding": {"apiVersion": "kraut.dev/v1alpha1", "kind": "Host", "namespace": "default", "name": "web1"},
    },
    {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "web1.1", "namespace": "default", "creationTimestamp": "2026-03-04T11:00:00Z"},
        "eventTime": "2026-03-04T11:00:00.000000Z",
        "type": "Normal",
        "reason": "UpdatesInstalled",
        "action": "UpdatePackages",
        "note": "12 updates were installed",
        "reportingController": "kraut.dev/worker",
        "regarding": {"apiVersion": "kraut.dev/v1alpha1", "kind": "Host", "namespace": "default", "name": "web1"},
    },
    {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "pod.1", "namespace": "default", "creationTimestamp": "2026-03-04T11:00:00Z"},
        "eventTime": None,
        "deprecatedFirstTimestamp": "2026-03-04T11:00:00Z",
        "deprecatedLastTimestamp": "2026-03-04T11:10:00Z",
        "deprecatedCount": 4,
        "type": "Normal",
        "reason": "Pulled",
        "note": "not about kraut",
        "regarding": {"apiVersion": "v1", "kind": "Pod", "namespace": "default", "name": "pod"},
    },
]

LOG = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {
        "name": "web1-operation-3f2a9c1e",
        "namespace": "default",
        "creationTimestamp": "2026-03-04T11:00:00Z",
        "labels": {"kraut.dev/operation": "3f2a9c1e-6f0b-4c61-9a53-0c7f0a5d7f11"},
    },
    "data": {
        "output": "Reading package lists...\nE: Unable to correct problems, you have held broken packages.\n",
        "operation": '{"id":"3f2a9c1e-6f0b-4c61-9a53-0c7f0a5d7f11","type":"UpdatePackages","result":"Failed","startTime":"2026-03-04T10:59:00Z","completionTime":"2026-03-04T11:00:00Z","exitCode":100,"message":"apt-get ended with exit code 100"}',
    },
}
