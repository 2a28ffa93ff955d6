"""The objects that ``kraut host`` writes (pure)."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from kraut_core.api.meta import API_VERSION
from kraut_core.api.v1alpha1.host import Host
from kraut_core.errors import InvalidSpecError

Manifest = dict[str, Any]

SSH_AUTH = "kubernetes.io/ssh-auth"
PRIVATE_KEY = "ssh-privatekey"


@dataclass(frozen=True, slots=True)
class Jump:
    """A jump host as the worker will use it."""

    address: str
    port: int
    user: str
    host_keys: Sequence[str]
    secret: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What the Host is to say; what is None or empty is left to the API server's defaults."""

    name: str
    namespace: str
    address: str
    secret: str
    port: int | None = None
    user: str | None = None
    site: str | None = None
    updates: str | None = None
    upgrade_policy: str | None = None
    host_keys: Sequence[str] = ()
    trust_on_first_use: bool = False
    jump: Jump | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


def host_manifest(wish: Wish) -> Manifest:
    """A Host for server-side apply: only what was wished. Raises InvalidSpecError when it cannot be a Host."""
    spec: Manifest = {
        "address": wish.address,
        "port": wish.port,
        "user": wish.user,
        "hostKeys": [*wish.host_keys],
        "hostKeyPolicy": "TrustOnFirstUse" if wish.trust_on_first_use else None,
        "credentialsRef": {"name": wish.secret},
        "jumpHost": _jump(wish.jump) if wish.jump else None,
        "site": wish.site,
        "operatingSystem": {"updates": wish.updates} if wish.updates else None,
        "upgradePolicyRef": {"name": wish.upgrade_policy} if wish.upgrade_policy else None,
    }
    metadata: Manifest = {"name": wish.name, "namespace": wish.namespace, "labels": dict(wish.labels)}
    manifest = {
        "apiVersion": API_VERSION,
        "kind": Host.KIND,
        "metadata": _without_empty(metadata),
        "spec": _without_empty(spec),
    }
    return _checked(manifest)


def secret_manifest(name: str, namespace: str, private_key: bytes) -> Manifest:
    """A Secret of type kubernetes.io/ssh-auth with kraut's own key."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": SSH_AUTH,
        "data": {PRIVATE_KEY: base64.b64encode(private_key).decode()},
    }


def keep_owned(manifest: Manifest, existing: Manifest, manager: str) -> Manifest:
    """``manifest`` with what ``manager`` applied to ``existing`` before and did not mention now.

    To server-side apply silence means removal: adding a host again without ``--updates`` would take the earlier one back.
    """
    kept = {name: existing["spec"][name] for name in _owned(existing, manager) if name in existing.get("spec", {})}
    return {**manifest, "spec": {**kept, **manifest["spec"]}}


def _owned(existing: Manifest, manager: str) -> set[str]:
    return {
        field.removeprefix("f:")
        for entry in existing["metadata"].get("managedFields", [])
        if entry.get("manager") == manager and entry.get("operation") == "Apply"
        for field in entry.get("fieldsV1", {}).get("f:spec", {})
        if field.startswith("f:")
    }


def _jump(jump: Jump) -> Manifest:
    return {
        "address": jump.address,
        "port": jump.port,
        "user": jump.user,
        "hostKeys": [*jump.host_keys],
        "credentialsRef": {"name": jump.secret},
    }


def _without_empty(values: Manifest) -> Manifest:
    return {key: value for key, value in values.items() if value not in (None, [], {}, "")}


def _checked(manifest: Manifest) -> Manifest:
    try:
        Host.model_validate(manifest)
    except ValidationError as error:
        flaws = "; ".join(
            f"{'.'.join(map(str, flaw['loc']))}: {flaw['msg']}" for flaw in error.errors(include_input=False)
        )
        raise InvalidSpecError(f"Host {manifest['metadata']['name']!r} cannot be: {flaws}") from None
    return manifest
