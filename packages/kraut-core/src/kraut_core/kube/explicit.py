"""Access to an API server that an object describes, instead of the process's own configuration: URL, authorities, credentials.

Nothing of it names a file or a program: what comes out of a Secret must not make this process read, run or send its own.
"""

import base64
import binascii
import math
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kraut_core.api.v1alpha1.cluster import HTTPS_PATTERN
from kraut_core.errors import SecretError
from kraut_core.kube.config import Access


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token, and for how many seconds from now it may be sent without asking for another."""

    token: str = field(repr=False)
    holds_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An API server. ``ca`` are PEM certificates, empty: the system's; ``certificate`` and ``key`` are a client's, PEM."""

    server: str
    ca: str = ""
    server_name: str | None = None
    certificate: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    """A token that does not change; ``bearer`` of ``explicit_access`` gives one that does."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What nobody may see of it."""
        return tuple(secret for secret in (self.key, self.token) if secret)


def explicit_access(endpoint: Endpoint, bearer: Callable[[], Awaitable[Bearer]] | None = None) -> Access:
    """An ``Access`` to the endpoint. What ``bearer`` raises of kraut's own errors, the requests raise."""

    async def load(target: Any, folder: str) -> float:
        found = await bearer() if bearer is not None else Bearer(endpoint.token, math.inf)
        target.host, target.tls_server_name = endpoint.server, endpoint.server_name
        target.ssl_ca_cert = _file(folder, "ca", endpoint.ca)
        target.cert_file, target.key_file = (
            _file(folder, "crt", endpoint.certificate),
            _file(folder, "key", endpoint.key),
        )
        if found.token:
            target.api_key["BearerToken"] = f"Bearer {found.token}"
        return found.holds_seconds

    return Access(load, source=f"the access to {endpoint.server}")


def _file(folder: str, name: str, content: str) -> str | None:
    if not content:
        return None
    path = Path(folder) / name
    path.touch(0o600)
    path.write_text(content)
    return str(path)


_CLUSTER: Final = frozenset({"server", "certificate-authority-data", "tls-server-name", "extensions"})
_USER: Final = frozenset({"token", "client-certificate-data", "client-key-data", "extensions"})


def parse_kubeconfig(name: str, content: bytes, context: str | None = None) -> Endpoint:
    """The endpoint that a kubeconfig in Secret ``name`` describes, with inline data only (pure).

    Raises SecretError for what is none, and for what would read files, run a plugin, use a proxy or skip verification.
    """
    import yaml  # noqa: PLC0415 - kubernetes_asyncio brings it; few processes read a kubeconfig from a Secret

    try:
        document = yaml.safe_load(content)
    except (yaml.YAMLError, UnicodeDecodeError):
        document = None
    if not isinstance(document, dict):
        raise SecretError(f"Secret {name} should hold a kubeconfig (YAML), it holds something else")
    chosen = context or document.get("current-context")
    pair = _named(name, document, "context", chosen)
    cluster = _allowed(name, _named(name, document, "cluster", pair.get("cluster")), "cluster", _CLUSTER)
    user = _allowed(name, _named(name, document, "user", pair.get("user")), "user", _USER)
    server = cluster.get("server")
    # As spec.access.direct.server: a query or fragment would swallow the path of every request.
    if not isinstance(server, str) or re.fullmatch(HTTPS_PATTERN, server) is None:
        raise SecretError(
            f"the kubeconfig in Secret {name} should name a server as https://host[:port][/path] in lower case, without user, query and fragment; "
            "correct it"
        )
    return Endpoint(
        server=server.rstrip("/"),
        ca=_inline(name, cluster, "certificate-authority-data"),
        server_name=cluster.get("tls-server-name"),
        certificate=_inline(name, user, "client-certificate-data"),
        key=_inline(name, user, "client-key-data"),
        token=str(user.get("token") or "").strip(),
    )


def _named(secret: str, document: Mapping[str, Any], kind: str, name: object) -> Mapping[str, Any]:
    entries = document.get(f"{kind}s")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("name") == name and isinstance(entry.get(kind), dict):
            return dict(entry[kind])
    raise SecretError(
        f"the kubeconfig in Secret {secret} should have the {kind} {name!r}; add it or name another context"
    )


def _allowed(secret: str, values: Mapping[str, Any], kind: str, known: frozenset[str]) -> Mapping[str, Any]:
    refused = sorted(name for name, value in values.items() if name not in known and value not in (None, "", False))
    if refused:
        raise SecretError(
            f"the {kind} of the kubeconfig in Secret {secret} may have {', '.join(sorted(known - {'extensions'}))} only, it has {', '.join(refused)}: "
            "kraut runs no plugin, reads no file and skips no verification for it; write one with inline data (kubectl config view --flatten)",
            reason="KubeconfigRefused",
        )
    return values


def _inline(secret: str, values: Mapping[str, Any], name: str) -> str:
    try:
        return base64.b64decode(str(values.get(name) or ""), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise SecretError(f"{name} of the kubeconfig in Secret {secret} should be base64 of PEM, it is not") from None
