"""The objects that ``kraut cluster connect`` writes, on both sides (pure)."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from kraut_core.api.meta import API_VERSION
from kraut_core.api.v1alpha1.cluster import Cluster
from kraut_core.errors import InvalidSpecError
from kraut_core.identity.users import PREFIX, map_service_account

Manifest = dict[str, Any]

RBAC: Final = "rbac.authorization.k8s.io"
WORKER: Final = {"kind": "ServiceAccount", "name": "kraut-worker", "namespace": "kraut-system"}
ISSUER_DISCOVERY: Final = "system:service-account-issuer-discovery"
"""Lets kraut read the target's issuer, by which it knows that it speaks to the right cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be connected. ``home`` is the name of this cluster in the users of the other one; ``ca`` is PEM.

    ``provider`` and ``client_authentication`` as in ``spec.access.exchange``; without them access is direct.
    """

    name: str
    namespace: str
    home: str
    account: str
    server: str
    ca: str
    audience: str
    issuer: str | None = None
    cluster_roles: Sequence[str] = ()
    provider: Manifest | None = None
    client_authentication: Manifest = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """The account, as its tokens name it."""
        return f"system:serviceaccount:{self.namespace}:{self.account}"

    @property
    def user(self) -> str:
        """Who kraut is there. Raises InvalidSpecError for a home name that cannot be."""
        return map_service_account(self.home, self.subject).name


def home_manifests(wish: Wish) -> list[Manifest]:
    """What this cluster gets: the account, the right to ask for its tokens for kraut-worker alone, and the Cluster."""
    metadata = {"name": wish.account, "namespace": wish.namespace}
    role = {"name": f"kraut-token-{wish.account}", "namespace": wish.namespace}
    rule = {
        "apiGroups": [""],
        "resources": ["serviceaccounts/token"],
        "resourceNames": [wish.account],
        "verbs": ["create"],
    }
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": role, "rules": [rule]},
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": role,
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": role["name"]},
            "subjects": [WORKER],
        },
        cluster_manifest(wish),
    ]


def cluster_manifest(wish: Wish) -> Manifest:
    """The Cluster. Raises InvalidSpecError when it cannot be."""
    way: Manifest = {"server": wish.server, "audience": wish.audience, "serviceAccountName": wish.account}
    if wish.ca:
        way["caBundle"] = base64.b64encode(wish.ca.encode()).decode()
    access: Manifest = {"direct": way}
    if wish.provider is not None:
        way["provider"] = wish.provider
        if wish.client_authentication:
            way["clientAuthentication"] = wish.client_authentication
        access = {"exchange": way}
    spec: Manifest = {"access": access, **({"issuer": wish.issuer} if wish.issuer else {})}
    metadata = {"name": wish.name, "namespace": wish.namespace}
    manifest = {"apiVersion": API_VERSION, "kind": Cluster.KIND, "metadata": metadata, "spec": spec}
    try:
        Cluster.model_validate(manifest)
    except ValidationError as error:
        flaws = "; ".join(
            f"{'.'.join(map(str, flaw['loc']))}: {flaw['msg']}" for flaw in error.errors(include_input=False)
        )
        raise InvalidSpecError(f"Cluster {wish.name!r} cannot be: {flaws}") from None
    return manifest


def target_manifests(wish: Wish) -> list[Manifest]:
    """What the other cluster gets: bindings for the one user that the account is there."""
    return [_binding(wish, role) for role in (ISSUER_DISCOVERY, *wish.cluster_roles)]


def _binding(wish: Wish, role: str) -> Manifest:
    # The readable part is not unique (east-1/default and east/1-default read alike), and a binding that two users share has one subject.
    unique = hashlib.sha256(f"{wish.user} {role}".encode()).hexdigest()[:8]
    name = f"kraut-{wish.home}-{wish.namespace}-{wish.account}-{role.replace(':', '-')}"[:244]
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"{name.rstrip('-.')}-{unique}"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": wish.user}],
    }


def left_over(wish: Wish, bindings: Sequence[Manifest]) -> list[str]:
    """A sentence for each of the other cluster's ``bindings`` that an earlier connection of this account made and this one does not.

    Which name this cluster had is not known there: another cluster may have an account of the same name.
    """
    wanted = {manifest["metadata"]["name"] for manifest in target_manifests(wish)}
    found = []
    for binding in bindings:
        name = str((binding.get("metadata") or {}).get("name", ""))
        role = (binding.get("roleRef") or {}).get("name")
        users = [
            str(subject.get("name", "")) for subject in binding.get("subjects") or () if subject.get("kind") == "User"
        ]
        if name in wanted or not name.startswith("kraut-"):
            continue
        for user in users:
            home = user.removeprefix(PREFIX).removesuffix(f":{wish.subject}")
            if user == wish.user:
                found.append(
                    f"ClusterRoleBinding {name} there still gives this account ClusterRole {role}, as an earlier connection wanted: delete it if "
                    "that is over"
                )
            elif user == f"{PREFIX}{home}:{wish.subject}":
                found.append(
                    f"ClusterRoleBinding {name} there gives {user} ClusterRole {role}: delete it if this cluster was called {home} before"
                )
    return found


_PLURALS: Final = {
    "ServiceAccount": "serviceaccounts",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "ClusterRoleBinding": "clusterrolebindings",
    "Cluster": "clusters",
}


def path_of(manifest: Manifest) -> str:
    """Where an object of these lives on the API server."""
    version, metadata = manifest["apiVersion"], manifest["metadata"]
    root = "/api/v1" if version == "v1" else f"/apis/{version}"
    place = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{root}{place}/{_PLURALS[manifest['kind']]}/{metadata['name']}"
