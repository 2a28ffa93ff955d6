"""A typed client for kraut's kinds and the few core objects kraut handles.

Every request has a deadline, every status is checked, and every error is one of ``kraut_core.errors``.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from kraut_core.api.kinds import Kind, kind_named
from kraut_core.api.meta import Resource
from kraut_core.errors import InvalidSpecError
from kraut_core.kube import paths
from kraut_core.kube.config import Access, find_access
from kraut_core.kube.objects import ConfigMap, Secret, config_map_manifest, parse_config_map, parse_secret
from kraut_core.kube.transport import APPLY_PATCH, MERGE_PATCH, Observe, Transport

if TYPE_CHECKING:
    from pydantic import ValidationError

AnyResource = Resource[Any, Any]
R = TypeVar("R", bound=AnyResource)
KindLike = Kind | type[AnyResource]
"""A kind by its declaration, or by its model (``Host``), which types the answer."""


class KubeClient:
    """One API server, one identity. Get one from ``KubeClient.connect``; safe for concurrent use in one event loop."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    @staticmethod
    @asynccontextmanager
    async def connect(
        kubeconfig: str | None = None,
        context: str | None = None,
        *,
        user_agent: str = "kraut",
        timeout_seconds: float = 30.0,
        observe: Observe | None = None,
        access: Access | None = None,
    ) -> "AsyncIterator[KubeClient]":
        """Open a client; ``kubeconfig`` and ``context`` as in kubectl, else the pod's service account; or by ``access``.

        Raises PermanentError (KubeconfigInvalid) when the configuration cannot be used; nothing is sent yet.
        """
        access = access or find_access(kubeconfig, context)
        transport = Transport(access, user_agent=user_agent, timeout_seconds=timeout_seconds, observe=observe)
        await transport.open()
        try:
            yield KubeClient(transport)
        finally:
            await transport.close()

    @property
    def server(self) -> str:
        """URL of the API server."""
        return self.transport.access.server

    def now(self) -> datetime:
        """The time by the API server's clock, as its last answer told it; by this machine's while none did, or when they agree."""
        return self.transport.clock.now()

    @overload
    async def get(self, kind: type[R], namespace: str, name: str) -> R: ...
    @overload
    async def get(self, kind: Kind, namespace: str, name: str) -> AnyResource: ...
    async def get(self, kind: KindLike, namespace: str, name: str) -> AnyResource:
        """Read one object. Raises NotFoundError."""
        declared = as_kind(kind)
        return _parse(declared, await self.transport.request("GET", paths.item(declared, namespace, name)))

    @overload
    def list(
        self,
        kind: type[R],
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        limit: int = 500,
        on_invalid: "Callable[[InvalidSpecError], None] | None" = None,
    ) -> AsyncIterator[R]: ...
    @overload
    def list(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        limit: int = 500,
        on_invalid: "Callable[[InvalidSpecError], None] | None" = None,
    ) -> AsyncIterator[AnyResource]: ...
    async def list(
        self,
        kind: KindLike,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        limit: int = 500,
        on_invalid: "Callable[[InvalidSpecError], None] | None" = None,
    ) -> AsyncIterator[Any]:
        """Read all objects of a kind, ``limit`` per request; None is every namespace.

        An object that the model refuses goes to ``on_invalid``, so that it does not hide the others; without one it raises.
        Raises ApiServerError with status 410 when reading took longer than the server keeps a snapshot (5 min).
        """
        declared = as_kind(kind)
        async for manifest in self.list_manifests(declared, namespace, label_selector=label_selector, limit=limit):
            try:
                yield _validate(declared, manifest)
            except InvalidSpecError as error:
                if on_invalid is None:
                    raise
                on_invalid(error)

    async def list_manifests(
        self, kind: KindLike, namespace: str | None = None, *, label_selector: str | None = None, limit: int = 500
    ) -> AsyncIterator[dict[str, Any]]:
        """As ``list``, without a look at what is in them: for who must not overlook an object that the model refuses."""
        import msgspec  # noqa: PLC0415

        params = {"limit": str(limit)} | ({"labelSelector": label_selector} if label_selector else {})
        while True:
            body = await self.transport.request("GET", paths.collection(as_kind(kind), namespace), params=params)
            # Items come decoded to plain dicts once; a list has no apiVersion and kind per item that could be trusted.
            page = msgspec.json.decode(body)
            for manifest in page["items"]:
                yield manifest
            token = page["metadata"].get("continue", "")
            if not token:
                return
            params = {**params, "continue": token}

    async def replace_status(self, kind: KindLike, resource: R) -> R:
        """Write ``resource.status`` if nobody wrote the object since it was read; spec and metadata are never sent.

        Raises ConflictError when somebody did, NotFoundError when it is gone, ForbiddenError (Invalid) when refused.
        """
        metadata = resource.metadata
        body = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {
                "name": metadata.name,
                "namespace": metadata.namespace,
                "resourceVersion": _precondition(metadata.resource_version),
            },
            "status": resource.model_dump(mode="json", by_alias=True, exclude_none=True, include={"status"})["status"],
        }
        declared = as_kind(kind)
        path = paths.item(declared, metadata.namespace, metadata.name) + "/status"
        return cast("R", _parse(declared, await self.transport.request("PUT", path, body=_encode(body))))

    async def set_finalizers(
        self, kind: KindLike, namespace: str, name: str, resource_version: str, finalizers: Sequence[str]
    ) -> AnyResource:
        """Set the finalizers of an object that has not changed since ``resource_version``. Raises ConflictError."""
        declared = as_kind(kind)
        metadata = {"resourceVersion": _precondition(resource_version), "finalizers": [*finalizers]}
        path = paths.item(declared, namespace, name)
        return _parse(declared, await self._patch(path, {"metadata": metadata}))

    async def delete(self, kind: KindLike, namespace: str, name: str, *, uid: str | None = None) -> None:
        """Ask for the deletion of an object, of exactly ``uid`` if given. Raises NotFoundError, ConflictError (other uid)."""
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        await self.transport.request("DELETE", paths.item(as_kind(kind), namespace, name), body=_encode(options))

    async def apply(
        self, manifest: Mapping[str, Any], *, field_manager: str, force: bool = False, path: str | None = None
    ) -> Any:
        """Server-side apply; ``path`` is needed for objects that are not of kraut's kinds.

        Returns the object as stored. Raises ConflictError when another manager owns a field, without ``force``.
        """
        params = {"fieldManager": field_manager, "force": "true" if force else "false"}
        target = path or _path_of(manifest)
        body = _encode(manifest)
        return _decode(
            await self.transport.request("PATCH", target, params=params, body=body, content_type=APPLY_PATCH)
        )

    async def get_secret(self, namespace: str, name: str) -> Secret:
        """Read a Secret. Raises NotFoundError."""
        return parse_secret(await self.get_raw(paths.core("secrets", namespace, name)))

    async def list_config_maps(self, namespace: str, *, label_selector: str) -> Sequence[ConfigMap]:
        """Read the ConfigMaps with these labels, without paging: they are few and small."""
        path = paths.core("configmaps", namespace)
        page = await self.get_raw(path, params={"labelSelector": label_selector})
        return [parse_config_map(manifest) for manifest in page["items"]]

    async def create_config_map(self, config_map: ConfigMap) -> ConfigMap:
        """Create it. Raises ConflictError when there is one of that name."""
        path = paths.core("configmaps", config_map.namespace)
        return parse_config_map(await self.post_raw(path, config_map_manifest(config_map)))

    async def delete_config_map(self, namespace: str, name: str) -> None:
        """Delete it. Raises NotFoundError."""
        await self.transport.request("DELETE", paths.core("configmaps", namespace, name))

    async def get_raw(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """GET any path and return the decoded JSON."""
        return _decode(await self.transport.request("GET", path, params=params))

    async def post_raw(self, path: str, body: Mapping[str, Any], params: Mapping[str, str] | None = None) -> Any:
        """POST JSON to any path and return the decoded answer."""
        return _decode(await self.transport.request("POST", path, params=params, body=_encode(body)))

    async def put_raw(self, path: str, body: Mapping[str, Any]) -> Any:
        """PUT JSON to any path and return the decoded answer."""
        return _decode(await self.transport.request("PUT", path, body=_encode(body)))

    async def patch_raw(self, path: str, patch: Mapping[str, Any]) -> Any:
        """Merge-patch (RFC 7386) any path and return the decoded answer."""
        return _decode(await self._patch(path, patch))

    async def cluster_uid(self) -> str:
        """The uid of the namespace kube-system, by habit the identity of a cluster. Raises ApiServerError for an answer without it."""
        from kraut_core.errors import ApiServerError  # noqa: PLC0415

        found = await self.get_raw("/api/v1/namespaces/kube-system")
        try:
            return str(found["metadata"]["uid"])
        except (KeyError, TypeError):
            raise ApiServerError("expected the namespace kube-system, found another JSON value") from None

    async def _patch(self, path: str, patch: Mapping[str, Any]) -> bytes:
        return await self.transport.request("PATCH", path, body=_encode(patch), content_type=MERGE_PATCH)


def as_kind(kind: KindLike) -> Kind:
    """The declaration of a kind given by its model. Raises KeyError when there is none."""
    return kind if isinstance(kind, Kind) else kind_named(kind.KIND)


def _path_of(manifest: Mapping[str, Any]) -> str:
    metadata = manifest["metadata"]
    return paths.item(kind_named(manifest["kind"]), metadata["namespace"], metadata["name"])


def _parse(kind: Kind, body: bytes) -> AnyResource:
    return _validate(kind, _decode(body))


def _validate(kind: Kind, manifest: Any) -> AnyResource:
    from pydantic import ValidationError  # noqa: PLC0415

    try:
        return kind.model.model_validate(manifest)
    except ValidationError as error:
        raise InvalidSpecError(_explain(kind, manifest, error)) from None


def _explain(kind: Kind, manifest: Any, error: "ValidationError") -> str:
    metadata = manifest.get("metadata", {}) if isinstance(manifest, dict) else {}
    flaws = [f"{'.'.join(map(str, flaw['loc']))}: {flaw['msg']}" for flaw in error.errors(include_input=False)[:3]]
    return (
        f"{kind.name} {metadata.get('namespace', '')}/{metadata.get('name', '')} does not fit this version of kraut: "
        f"{'; '.join(flaws)}; correct it, or upgrade kraut"
    )


def _precondition(resource_version: str) -> str:
    if not resource_version:
        raise ValueError("expected an object read from the API server, found one without resourceVersion")
    return resource_version


def _encode(body: Mapping[str, Any]) -> bytes:
    import msgspec  # noqa: PLC0415

    return msgspec.json.encode(body)


def _decode(body: bytes) -> Any:
    import msgspec  # noqa: PLC0415

    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        from kraut_core.errors import ApiServerError  # noqa: PLC0415

        raise ApiServerError("expected JSON from the API server, found something else (a proxy's page?)") from error
