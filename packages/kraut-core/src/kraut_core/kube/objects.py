"""The few core objects kraut handles besides its own: Secrets (read) and small ConfigMaps."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kraut_core.api.meta import Resource


@dataclass(frozen=True, slots=True)
class Secret:
    """A Secret as it was read; its data never shows in a repr."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    type: str = ""
    data: Mapping[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """A small ConfigMap; ``owner`` is the object whose deletion deletes it (an owner reference that controls nothing).

    ``resource_version`` is empty for one that was not read from the API server.
    """

    namespace: str
    name: str
    data: Mapping[str, str]
    labels: Mapping[str, str] = field(default_factory=dict)
    owner: "Owner | None" = None
    uid: str = ""
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class Owner:
    """metav1.OwnerReference; ``controller`` at most once per object."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False


def owner_of(resource: Resource[Any, Any], *, controller: bool = False) -> Owner:
    """The owner reference that makes ``resource`` the owner of something in its namespace."""
    metadata = resource.metadata
    return Owner(resource.api_version, resource.kind, metadata.name, metadata.uid, controller)


def parse_secret(manifest: Mapping[str, Any]) -> Secret:
    """Read a core/v1 Secret; its values come decoded from base64."""
    metadata = manifest["metadata"]
    return Secret(
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        type=manifest.get("type", ""),
        data={key: base64.b64decode(value or "") for key, value in (manifest.get("data") or {}).items()},
    )


def parse_config_map(manifest: Mapping[str, Any]) -> ConfigMap:
    """Read a core/v1 ConfigMap; of several owners the first is kept."""
    metadata = manifest["metadata"]
    owners = metadata.get("ownerReferences") or []
    return ConfigMap(
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        data=dict(manifest.get("data") or {}),
        labels=dict(metadata.get("labels") or {}),
        owner=_parse_owner(owners[0]) if owners else None,
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
    )


def _parse_owner(reference: Mapping[str, Any]) -> Owner:
    return Owner(
        api_version=reference["apiVersion"],
        kind=reference["kind"],
        name=reference["name"],
        uid=reference["uid"],
        controller=bool(reference.get("controller", False)),
    )


def config_map_manifest(config_map: ConfigMap) -> dict[str, Any]:
    """The object to create."""
    metadata: dict[str, Any] = {
        "name": config_map.name,
        "namespace": config_map.namespace,
        "labels": dict(config_map.labels),
    }
    if config_map.owner is not None:
        metadata["ownerReferences"] = [owner_reference(config_map.owner)]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(config_map.data)}


def owner_reference(owner: Owner) -> dict[str, Any]:
    """metav1.OwnerReference as the wire has it."""
    reference: dict[str, Any] = {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.name,
        "uid": owner.uid,
    }
    return {**reference, "controller": True} if owner.controller else reference
