"""The Lease of the leader, and when it may be taken (pure).

coordination.k8s.io/v1; the algorithm is client-go's leaderelection: other holders' times are never compared with this
machine's clock, only how long *this* process has seen their record unchanged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

JITTER = 1.2
"""A pause between attempts is stretched at random by up to this factor, as client-go's."""


def attempt_seconds(renew_seconds: float) -> float:
    """How long one attempt to take or renew the Lease may take."""
    return renew_seconds / 2


def pause_seconds(wanted: float, left: float, attempt: float) -> float:
    """How long to wait before the next attempt, with ``left`` seconds to renew in: so long that a whole attempt still fits, else to
    the end of them."""
    return min(wanted, left - attempt if left > attempt else max(left, 0.0))


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """What a Lease says; ``holder`` is empty when nobody holds it. ``resource_version`` is empty before it exists."""

    holder: str = ""
    duration_seconds: int = 0
    acquired: str = ""
    renewed: str = ""
    transitions: int = 0
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A record, and the monotonic time at which this process first saw it as it is."""

    record: LeaseRecord
    since: float


def parse_lease(manifest: Mapping[str, Any]) -> LeaseRecord:
    """Read a Lease; absent fields are as if nobody held it."""
    spec = manifest.get("spec") or {}
    return LeaseRecord(
        holder=spec.get("holderIdentity") or "",
        duration_seconds=int(spec.get("leaseDurationSeconds") or 0),
        acquired=spec.get("acquireTime") or "",
        renewed=spec.get("renewTime") or "",
        transitions=int(spec.get("leaseTransitions") or 0),
        resource_version=str(manifest["metadata"].get("resourceVersion", "")),
    )


def lease_manifest(record: LeaseRecord, *, namespace: str, name: str) -> dict[str, Any]:
    """The object to send; the resourceVersion makes the API server refuse it when anybody else wrote meanwhile."""
    metadata = {"name": name, "namespace": namespace}
    if record.resource_version:
        metadata["resourceVersion"] = record.resource_version
    spec: dict[str, Any] = {
        "holderIdentity": record.holder,
        "leaseDurationSeconds": max(record.duration_seconds, 1),
        "leaseTransitions": record.transitions,
    }
    spec |= {"acquireTime": record.acquired} if record.acquired else {}
    spec |= {"renewTime": record.renewed} if record.renewed else {}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def see(record: LeaseRecord, before: Sighting | None, now: float) -> Sighting:
    """Note a record that was just read."""
    if before is not None and before.record.resource_version == record.resource_version:
        return before
    return Sighting(record, now)


def may_take(sighting: Sighting, identity: str, now: float) -> bool:
    """Whether ``identity`` may write itself into the Lease: it holds it, nobody does, or the holder was silent too long."""
    record = sighting.record
    if record.holder in ("", identity):
        return True
    return now - sighting.since >= record.duration_seconds


def taken(record: LeaseRecord, identity: str, duration_seconds: int, moment: datetime) -> LeaseRecord:
    """The record that takes or renews the Lease for ``identity``."""
    stamp = moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    if record.holder == identity:
        return replace(record, duration_seconds=duration_seconds, renewed=stamp)
    transitions = record.transitions + (1 if record.resource_version else 0)
    return LeaseRecord(identity, duration_seconds, stamp, stamp, transitions, record.resource_version)


def released(record: LeaseRecord) -> LeaseRecord:
    """The record that lets the next one take the Lease at once."""
    return replace(record, holder="", duration_seconds=1)
