"""UpgradePolicy: how much may be disrupted at once, and when work counts as done or failed."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from kraut_core.api.kinds import Column, Kind
from kraut_core.api.meta import Integer, ObservedModel, Resource, Time, WireModel

PERCENT_PATTERN = r"^(100|[1-9]?[0-9])%$"

IntOrPercent = Annotated[
    Annotated[Integer, Field(ge=0, le=100_000)] | Annotated[str, Field(pattern=PERCENT_PATTERN, max_length=4)],
    Field(json_schema_extra={"x-kubernetes-int-or-string": True}),
]
"""A count, or a percentage of all (``"25%"``), as in Deployment's maxUnavailable."""


class RollingUpdate(WireModel):
    """The budget of disruption."""

    max_unavailable: IntOrPercent = Field(
        default=1,
        description="How many of the hosts that share this policy may be unavailable at once, whatever the reason; a percentage is rounded down, and is never less than 1. 0 starts nothing. Default 1.",
    )


class UpgradePolicySpec(WireModel):
    """What a person allows."""

    rolling_update: RollingUpdate = Field(default_factory=RollingUpdate, description="The budget of disruption.")
    min_ready_seconds: Integer = Field(
        default=0,
        ge=0,
        le=86_400,
        description="Seconds a host must be back and reachable before the next may start. Default 0.",
    )
    progress_deadline_seconds: Integer = Field(
        default=600,
        ge=30,
        le=86_400,
        description="Seconds a rebooted host has to come back before its state counts as unknown. Default 600.",
    )
    backoff_limit: Integer = Field(
        default=6,
        ge=0,
        le=100,
        description="Failed operations in a row before kraut stops trying (Stalled), as in Job. Default 6.",
    )


class Reservation(ObservedModel):
    """A host that may be disrupted now."""

    kind: str = Field(default="Host", max_length=63, description="Kind of the holder.")
    name: str = Field(max_length=253, description="Name of the holder.")
    uid: str = Field(max_length=64, description="uid of the holder.")
    since: Time = Field(description="When it was granted.")
    fencing_token: Integer = Field(
        default=0,
        description="The token of the operation it was last granted for; who decided earlier cannot give it back.",
    )


class UpgradePolicyStatus(ObservedModel):
    """Who is being disrupted under this policy."""

    reservations: list[Reservation] = Field(
        default_factory=list, max_length=1024, description="Granted and not yet given back."
    )


class UpgradePolicy(Resource[UpgradePolicySpec, UpgradePolicyStatus]):
    """How much may be disrupted at once, and when work counts as done or failed."""

    KIND: ClassVar[str] = "UpgradePolicy"
    kind: Literal["UpgradePolicy"] = "UpgradePolicy"


KIND = Kind(
    model=UpgradePolicy,
    plural="upgradepolicies",
    short_names=("kup",),
    reconciled=False,
    columns=(
        Column("Max unavailable", ".spec.rollingUpdate.maxUnavailable"),
        Column("Min ready", ".spec.minReadySeconds", type="integer"),
        Column("Age", ".metadata.creationTimestamp", type="date"),
    ),
)
