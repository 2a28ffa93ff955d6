"""Reading both sides, and writing the objects by server-side apply."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from kraut_cli.clusters.manifests import Manifest, path_of
from kraut_cli.session import FIELD_MANAGER
from kraut_core.errors import ForbiddenError, NotFoundError

if TYPE_CHECKING:
    from kraut_core.kube.client import KubeClient

CLUSTER_ROLE_BINDINGS: Final = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"


async def read_issuer(client: "KubeClient") -> str | None:
    """The issuer of a cluster's service account tokens; None when it may not be read."""
    try:
        document = await client.get_raw("/.well-known/openid-configuration")
    except (ForbiddenError, NotFoundError):
        return None
    issuer = document.get("issuer") if isinstance(document, dict) else None
    return issuer if isinstance(issuer, str) and issuer else None


async def read_version(client: "KubeClient") -> str | None:
    """The version of a cluster's API server, such as v1.37.2; None when it may not be read."""
    try:
        found = await client.get_raw("/version")
    except (ForbiddenError, NotFoundError):
        return None
    version = found.get("gitVersion") if isinstance(found, dict) else None
    return version if isinstance(version, str) and version else None


async def read_bindings(client: "KubeClient") -> list[Manifest]:
    """All ClusterRoleBindings of a cluster; none when they may not be read."""
    found: list[Manifest] = []
    token = ""
    try:
        while True:
            page = await client.get_raw(CLUSTER_ROLE_BINDINGS, params={"limit": "500", "continue": token})
            found += page.get("items") or []
            token = (page.get("metadata") or {}).get("continue", "")
            if not token:
                return found
    except (ForbiddenError, NotFoundError):
        return []


async def apply_all(client: "KubeClient", manifests: Sequence[Manifest], *, dry_run: bool) -> list[str]:
    """Apply them in order; for each ``created``, ``configured`` or ``unchanged``. Raises as the API server refuses."""
    return [await _apply(client, manifest, dry_run=dry_run) for manifest in manifests]


async def _apply(client: "KubeClient", manifest: Manifest, *, dry_run: bool) -> str:
    import msgspec  # noqa: PLC0415

    from kraut_core.kube.transport import APPLY_PATCH  # noqa: PLC0415

    path = path_of(manifest)
    try:
        before = (await client.get_raw(path))["metadata"]["resourceVersion"]
    except NotFoundError:
        before = None
    body = await client.transport.request(
        "PATCH",
        path,
        params={"fieldManager": FIELD_MANAGER, "force": "false"} | ({"dryRun": "All"} if dry_run else {}),
        body=msgspec.json.encode(manifest),
        content_type=APPLY_PATCH,
    )
    if before is None:
        return "created"
    return "unchanged" if msgspec.json.decode(body)["metadata"]["resourceVersion"] == before else "configured"
