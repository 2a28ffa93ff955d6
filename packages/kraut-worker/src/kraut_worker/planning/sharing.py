"""Who shares an UpgradePolicy: Hosts, and those that this version cannot read, whose places count all the same (pure)."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import ValidationError

from kraut_core.api.meta import ObjectMeta, ObservedModel, Resource
from kraut_core.api.v1alpha1.host import Host, HostStatus
from kraut_core.api.v1alpha1.upgradepolicy import UpgradePolicy


class PolicyName(ObservedModel):
    """``spec.upgradePolicyRef``, as far as this version knows it."""

    name: str = ""


class UnreadableSpec(ObservedModel):
    """What decides about places."""

    upgrade_policy_ref: PolicyName | None = None


class UnreadableHost(Resource[UnreadableSpec, HostStatus]):
    """A Host that the model refuses, since another version of kraut knows more of it. It never has a status: nothing is known."""

    KIND: ClassVar[str] = Host.KIND
    kind: Literal["Host"] = "Host"


Sharer = Host | UnreadableHost


def read_sharer(manifest: Mapping[str, Any]) -> Sharer:
    """The Host of a manifest, or as much of it as this version can read."""
    try:
        return Host.model_validate(manifest)
    except ValidationError:
        return read_unreadable(manifest)


def read_unreadable(manifest: Mapping[str, Any]) -> UnreadableHost:
    """As much of a Host as decides about its place and its deletion."""
    metadata = ObjectMeta.model_validate(manifest["metadata"])
    name = policy_name(manifest)
    reference = PolicyName(name=name) if name else None
    return UnreadableHost(metadata=metadata, spec=UnreadableSpec(upgrade_policy_ref=reference))


def policy_name(manifest: Mapping[str, Any]) -> str:
    """The policy that a manifest names; empty when it names none, or says so in a way that this version does not know."""
    found: Any = manifest
    for key in ("spec", "upgradePolicyRef", "name"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else ""


class Sharing:
    """Who shares ``policy``: who names it, and who holds a place in it and cannot be read."""

    def __init__(self, policy: UpgradePolicy) -> None:
        self._policy = policy.metadata.name
        self._held = {reservation.uid for reservation in (policy.status.reservations if policy.status else [])}

    def read(self, manifest: Mapping[str, Any]) -> Sharer | None:
        """The Host of a manifest when it shares the policy; of those that do not, as little as possible is read."""
        named = policy_name(manifest) == self._policy
        if not named and manifest["metadata"]["uid"] not in self._held:
            return None
        sharer = read_sharer(manifest)
        return sharer if named or isinstance(sharer, UnreadableHost) else None
