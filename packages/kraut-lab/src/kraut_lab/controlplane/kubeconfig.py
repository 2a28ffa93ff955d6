"""kubeconfig files, one per identity, with everything inlined so that each works when copied."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import yaml

from kraut_lab.files import write_atomically
from kraut_lab.pki import KeyPair


def write_certificate_kubeconfig(path: Path, *, server: str, ca: Path, user: str, pair: KeyPair) -> None:
    """Write a kubeconfig that authenticates with a client certificate."""
    credentials = {"client-certificate-data": _inline(pair.certificate), "client-key-data": _inline(pair.key)}
    _write(path, server=server, ca=ca, user=user, credentials=credentials, namespace="default")


def write_token_kubeconfig(path: Path, *, server: str, ca: Path, user: str, token: str, namespace: str) -> None:
    """Write a kubeconfig that authenticates with a service account's token."""
    _write(path, server=server, ca=ca, user=user, credentials={"token": token}, namespace=namespace)


def write_token_file_kubeconfig(path: Path, *, server: str, ca: Path, user: str, token_file: Path) -> None:
    """Write a kubeconfig that authenticates with the token in a file."""
    _write(path, server=server, ca=ca, user=user, credentials={"tokenFile": str(token_file)}, namespace="default")


def _write(path: Path, *, server: str, ca: Path, user: str, credentials: dict[str, str], namespace: str) -> None:
    document: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": {"server": server, "certificate-authority-data": _inline(ca)}}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": user, "namespace": namespace}}],
        "current-context": "lab",
    }
    write_atomically(path, yaml.safe_dump(document, sort_keys=False))


def _inline(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
