"""ExecCredential (client.authentication.k8s.io/v1): what kubectl tells a plugin, and what it wants back (pure).

https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import click

from kraut_core.identity.sources import Token, renewal_time

API_VERSION: Final = "client.authentication.k8s.io/v1"
KIND: Final = "ExecCredential"
VARIABLE: Final = "KUBERNETES_EXEC_INFO"


def told_audience(info: str | None) -> str | None:
    """``audience`` of the cluster's extension client.authentication.k8s.io/exec (with provideClusterInfo); None when there is none.

    Raises click.UsageError for another version of the protocol than v1, or what is no ExecCredential.
    """
    if not info:
        return None
    try:
        document = json.loads(info)
    except ValueError:
        document = None
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise click.UsageError(f"{VARIABLE} should hold an {KIND}, it does not; let kubectl set it")
    if document.get("apiVersion") != API_VERSION:
        raise click.UsageError(
            f"expected {API_VERSION} in {VARIABLE}, found {document.get('apiVersion')!r}: set apiVersion of `exec` in the kubeconfig to it"
        )
    config = _part(_part(_part(document, "spec"), "cluster"), "config")
    audience = config.get("audience")
    return audience if isinstance(audience, str) and audience else None


def _part(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}


def answer(token: Token, now: float) -> str:
    """The document for stdout. It says that the token ends a little before it does: kubectl asks again only then."""
    ends = datetime.fromtimestamp(max(renewal_time(token, now), now), UTC)
    status = {"token": token.value, "expirationTimestamp": f"{ends:%Y-%m-%dT%H:%M:%SZ}"}
    return json.dumps({"apiVersion": API_VERSION, "kind": KIND, "status": status})
