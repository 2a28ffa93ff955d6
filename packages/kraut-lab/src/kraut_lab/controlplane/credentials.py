"""The control plane's certificates, made once per lab."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kraut_lab.pki import CertificateAuthority, KeyPair, create_signing_key

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SERVICE_NAMES = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")


@dataclass(frozen=True)
class Credentials:
    """Paths of everything that the three processes and their clients authenticate with."""

    ca: KeyPair
    apiserver: KeyPair
    admin: KeyPair
    controller_manager: KeyPair
    etcd_ca: KeyPair
    etcd_server: KeyPair
    etcd_client: KeyPair
    service_account_key: Path
    service_account_public_key: Path


def prepare_credentials(folder: Path, *, extra_hosts: tuple[str, ...] = ()) -> Credentials:
    """Create what is absent in ``folder``. etcd has an authority of its own, as kubeadm does it: no user of the
    cluster can talk to etcd with a client certificate."""
    ca = CertificateAuthority(folder, "ca")
    etcd_ca = CertificateAuthority(folder, "etcd-ca")
    private, public = create_signing_key(folder, "service-account")
    hosts = (*_LOOPBACK, *_SERVICE_NAMES, *extra_hosts)
    return Credentials(
        ca=ca.files,
        apiserver=ca.issue("kube-apiserver", "kube-apiserver", hosts=hosts),
        admin=ca.issue("admin", "kraut-lab-admin", organization="system:masters"),
        controller_manager=ca.issue("kube-controller-manager", "system:kube-controller-manager", hosts=_LOOPBACK),
        etcd_ca=etcd_ca.files,
        etcd_server=etcd_ca.issue("etcd", "etcd", hosts=_LOOPBACK),
        etcd_client=etcd_ca.issue("etcd-client", "kube-apiserver"),
        service_account_key=private,
        service_account_public_key=public,
    )
