"""The YAML that the demo applies: what a platform engineer would write (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

NAMESPACE = "default"
POLICY = "one-at-a-time"
SECRET = "lab-ssh"  # noqa: S105 (the name of a Secret)


@dataclass(frozen=True, slots=True)
class Machine:
    """What the YAML must know of a host."""

    name: str
    address: str
    port: int
    user: str
    host_key: str


def demo_yaml(machines: Sequence[Machine], private_key: str, *, updates: str) -> str:
    """A Secret, an UpgradePolicy and a Host per machine as one YAML stream; ``updates`` is None, Security or All."""
    documents = [_secret(private_key), _policy(), *(_host(machine, updates) for machine in machines)]
    return yaml.safe_dump_all(documents, sort_keys=False)


def _secret(private_key: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/ssh-auth",
        "metadata": {"name": SECRET, "namespace": NAMESPACE},
        "stringData": {"ssh-privatekey": private_key},
    }


def _policy() -> dict[str, Any]:
    return {
        "apiVersion": "kraut.dev/v1alpha1",
        "kind": "UpgradePolicy",
        "metadata": {"name": POLICY, "namespace": NAMESPACE},
        "spec": {"rollingUpdate": {"maxUnavailable": 1}},
    }


def _host(machine: Machine, updates: str) -> dict[str, Any]:
    return {
        "apiVersion": "kraut.dev/v1alpha1",
        "kind": "Host",
        "metadata": {"name": machine.name, "namespace": NAMESPACE},
        "spec": {
            "address": machine.address,
            "port": machine.port,
            "user": machine.user,
            "hostKeys": [machine.host_key],
            "credentialsRef": {"name": SECRET},
            "upgradePolicyRef": {"name": POLICY},
            "operatingSystem": {"updates": updates, "rebootPolicy": "IfRequired"},
        },
    }
