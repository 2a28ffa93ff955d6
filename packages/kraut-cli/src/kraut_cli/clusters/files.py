"""The files that ``kraut cluster connect`` reads and writes: a kubeconfig's cluster, a provider, an AuthenticationConfiguration."""

import base64
import binascii
from pathlib import Path
from typing import Any

import yaml

from kraut_cli.formats.dump import as_yaml
from kraut_cli.inplace import write_in_place
from kraut_core.errors import InvalidSpecError


def read_yaml(path: Path, what: str) -> dict[str, Any]:
    """A YAML mapping. Raises InvalidSpecError for something else, OSError."""
    try:
        document = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError):
        document = None
    if not isinstance(document, dict):
        raise InvalidSpecError(f"{path} should hold {what} (a YAML mapping), it does not")
    return document


def read_exchange(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """``provider`` and ``clientAuthentication`` (empty when absent) of a file as --provider takes it. Raises InvalidSpecError, OSError."""
    document = read_yaml(path, "provider and, if needed, clientAuthentication")
    provider, client = document.get("provider"), document.get("clientAuthentication") or {}
    if not {*document} <= {"provider", "clientAuthentication"} or not isinstance(client, dict):
        provider = None
    if not provider or not isinstance(provider, dict):
        raise InvalidSpecError(
            f"{path} should be a mapping of provider and, if needed, clientAuthentication to what spec.access.exchange has of these names, it has "
            f"{', '.join(sorted(map(str, document))) or 'nothing'}; correct it"
        )
    return provider, client


def server_in(path: Path, context: str | None) -> tuple[str, str]:
    """The URL and the authorities (PEM, empty: the system's) of a kubeconfig's context. Raises InvalidSpecError, OSError."""
    document = read_yaml(path, "a kubeconfig")
    chosen = context or document.get("current-context")
    named = _entry(document, "context", chosen)
    cluster = _entry(document, "cluster", named.get("cluster"))
    server = str(cluster.get("server", "")).rstrip("/")
    if file := cluster.get("certificate-authority"):
        return server, (path.parent / str(file)).read_text()
    try:
        return server, base64.b64decode(cluster.get("certificate-authority-data") or "", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidSpecError(f"certificate-authority-data in {path} should be base64 of PEM, it is not") from None


def _entry(document: dict[str, Any], kind: str, name: object) -> dict[str, Any]:
    for entry in document.get(f"{kind}s") or ():
        if isinstance(entry, dict) and entry.get("name") == name and isinstance(entry.get(kind), dict):
            return dict(entry[kind])
    raise InvalidSpecError(
        f"the kubeconfig of the other cluster should have the {kind} {name!r}; name another --target-context"
    )


def write_when_changed(path: Path, document: dict[str, Any]) -> bool:
    """Write YAML, unless the file says the same already; kube-apiserver reads it again by itself. Raises OSError."""
    if path.exists() and read_yaml(path, "an AuthenticationConfiguration") == document:
        return False
    write_in_place(path, as_yaml(document))
    return True
