"""Reading and writing the Secret and the Host of one enrolment, as the person who runs the command."""

from typing import TYPE_CHECKING

from kraut_cli.hosts.key_pair import KeyPair, generate_key_pair, read_key_pair
from kraut_cli.hosts.manifests import PRIVATE_KEY, Manifest, keep_owned
from kraut_cli.session import FIELD_MANAGER
from kraut_core.api.kinds import kind_named
from kraut_core.errors import ForbiddenError, NotFoundError, SecretError

if TYPE_CHECKING:
    from kraut_core.kube.client import KubeClient


def path_of(manifest: Manifest) -> str:
    """Where a Host or a Secret lives on the API server."""
    from kraut_core.kube import paths  # noqa: PLC0415 - no part of the client is imported before it is needed

    namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
    if manifest["kind"] == "Secret":
        return paths.core("secrets", namespace, name)
    return paths.item(kind_named(manifest["kind"]), namespace, name)


async def check(client: "KubeClient", *manifests: Manifest) -> None:
    """Ask the API server whether it would take them: schema, policies, RBAC and field owners. Nothing is written."""
    for manifest in manifests:
        await apply(client, manifest, dry_run=True)


async def apply_host(client: "KubeClient", host: Manifest) -> Manifest:
    """Apply a Host, keeping what this command applied to it before. Returns it as it is now."""
    existing = await _existing(client, host)
    return await apply(client, keep_owned(host, existing, FIELD_MANAGER) if existing else host)


async def key_pair_for(client: "KubeClient", namespace: str, secret: str) -> KeyPair:
    """The key pair that the Secret holds, else a new one: adding a host again does not change its key.

    Who may write the Secret and not read it gets a new pair, and so does a Secret without a key of ours.
    """
    try:
        found = await client.get_secret(namespace, secret)
        return read_key_pair(found.data.get(PRIVATE_KEY, b""))
    except (NotFoundError, ForbiddenError, SecretError):
        return generate_key_pair()


async def apply(client: "KubeClient", manifest: Manifest, *, dry_run: bool = False) -> Manifest:
    """Server-side apply as ``kraut-cli``. Raises ConflictError when another manager owns a field with another value."""
    import msgspec  # noqa: PLC0415

    from kraut_core.kube.transport import APPLY_PATCH  # noqa: PLC0415

    answer = await client.transport.request(
        "PATCH",
        path_of(manifest),
        params={"fieldManager": FIELD_MANAGER, "force": "false"} | ({"dryRun": "All"} if dry_run else {}),
        body=msgspec.json.encode(manifest),
        content_type=APPLY_PATCH,
    )
    applied: Manifest = msgspec.json.decode(answer)
    return applied


async def _existing(client: "KubeClient", manifest: Manifest) -> Manifest | None:
    try:
        found: Manifest = await client.get_raw(path_of(manifest))
    except NotFoundError:
        return None
    return found
