"""The command lines of the control plane (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kraut_lab.controlplane.credentials import Credentials

SERVICE_CLUSTER_IP_RANGE = "198.19.255.0/24"
"""For Services, which nothing routes in a cluster without nodes; in the range that RFC 2544 reserves for benchmarks."""


@dataclass(frozen=True)
class Ports:
    """TCP ports on loopback."""

    etcd_client: int
    etcd_peer: int
    apiserver: int
    controller_manager: int


def etcd_flags(folder: Path, ports: Ports, credentials: Credentials) -> list[str]:
    """etcd with one member and mutual TLS; without fsync, since a lab need not survive a power cut."""
    client, peer = f"https://127.0.0.1:{ports.etcd_client}", f"https://127.0.0.1:{ports.etcd_peer}"
    flags = {
        "name": "lab",
        "data-dir": str(folder / "etcd"),
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"lab={peer}",
        "unsafe-no-fsync": "true",
        "log-level": "warn",
    }
    for role in ("", "peer-"):
        flags |= {
            f"{role}cert-file": str(credentials.etcd_server.certificate),
            f"{role}key-file": str(credentials.etcd_server.key),
            f"{role}trusted-ca-file": str(credentials.etcd_ca.certificate),
            f"{role}client-cert-auth": "true",
        }
    return render(flags)


def apiserver_flags(ports: Ports, credentials: Credentials, extra: Mapping[str, str]) -> list[str]:
    """kube-apiserver with RBAC on; ``extra`` overrides or adds flags, without their leading dashes."""
    issuer = f"https://127.0.0.1:{ports.apiserver}"
    flags = {
        "etcd-servers": f"https://127.0.0.1:{ports.etcd_client}",
        "etcd-cafile": str(credentials.etcd_ca.certificate),
        "etcd-certfile": str(credentials.etcd_client.certificate),
        "etcd-keyfile": str(credentials.etcd_client.key),
        "bind-address": "127.0.0.1",
        "advertise-address": "127.0.0.1",
        # A loopback address cannot be an endpoint of the `kubernetes` Service.
        "endpoint-reconciler-type": "none",
        "secure-port": str(ports.apiserver),
        "tls-cert-file": str(credentials.apiserver.certificate),
        "tls-private-key-file": str(credentials.apiserver.key),
        "client-ca-file": str(credentials.ca.certificate),
        "authorization-mode": "RBAC",
        "service-account-issuer": issuer,
        "service-account-jwks-uri": f"{issuer}/openid/v1/jwks",
        "service-account-key-file": str(credentials.service_account_public_key),
        "service-account-signing-key-file": str(credentials.service_account_key),
        "service-cluster-ip-range": SERVICE_CLUSTER_IP_RANGE,
        "profiling": "false",
    }
    return render(flags | dict(extra))


def controller_manager_flags(ports: Ports, credentials: Credentials, kubeconfig: Path) -> list[str]:
    """kube-controller-manager: garbage collection, namespace deletion, service accounts and all other controllers."""
    return render(
        {
            "kubeconfig": str(kubeconfig),
            "use-service-account-credentials": "true",
            "service-account-private-key-file": str(credentials.service_account_key),
            "root-ca-file": str(credentials.ca.certificate),
            "bind-address": "127.0.0.1",
            "secure-port": str(ports.controller_manager),
            "tls-cert-file": str(credentials.controller_manager.certificate),
            "tls-private-key-file": str(credentials.controller_manager.key),
            "leader-elect": "false",
            "profiling": "false",
        }
    )


def render(flags: Mapping[str, str]) -> list[str]:
    """Render flags as ``--name=value``."""
    return [f"--{name}={value}" for name, value in flags.items()]
