"""kraut-operator's settings."""

from typing import Self

from pydantic import Field, model_validator

from kraut_core.settings import (
    HomeSettings,
    KubeSettings,
    LogSettings,
    ProbeSettings,
    Settings,
    SettingsGroup,
    TemporalSettings,
)
from kraut_operator.lease import JITTER, attempt_seconds


class OperatorSettings(SettingsGroup):
    """What this operator watches, how fast it wakes workflows, and how replicas agree on a leader."""

    namespaces: str = Field(
        default="",
        pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(,[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?$",
        description="Comma-separated namespaces to watch, Secrets included. Default empty: all of them. Name them where the operator must not list the Secrets of others.",
    )
    dispatch_rate: int = Field(
        default=800,
        ge=1,
        le=100_000,
        description="Signals to Temporal per second at most. Default 800, below the 2,400 requests per second that Temporal's frontend grants a namespace.",
    )
    dispatch_concurrency: int = Field(
        default=64,
        ge=1,
        le=1024,
        description="Signals in flight at most. Default 64: more do not make Temporal faster.",
    )
    resync_seconds: int = Field(
        default=600,
        ge=10,
        le=86_400,
        description="Seconds in which every object is compared once more with what the operator knows of the world, evenly spread. Default 600; reads nothing from the API server (that happens each hour).",
    )
    leader_election: bool = Field(
        default=True,
        description="Whether only the holder of the Lease wakes workflows. Default true; false saves the Lease where there is one replica and never two.",
    )
    lease_namespace: str = Field(
        default="kraut-system",
        max_length=63,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        description="Namespace of the Lease. Default kraut-system, where kraut is installed.",
    )
    lease_name: str = Field(
        default="kraut-operator",
        max_length=253,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        description="Name of the Lease. Default kraut-operator, which is the only Lease that its RBAC covers.",
    )
    lease_seconds: int = Field(
        default=15,
        ge=3,
        le=600,
        description="Seconds after which a silent leader is replaced. Default 15, as in client-go.",
    )
    renew_seconds: int = Field(
        default=10,
        ge=2,
        le=590,
        description="Seconds within which the leader must renew the Lease; else it ends. Default 10; must be less than lease_seconds, and leave time for retry_seconds and an attempt (half of it).",
    )
    retry_seconds: int = Field(
        default=2, ge=1, le=60, description="Seconds between two attempts to take or renew the Lease. Default 2."
    )

    @model_validator(mode="after")
    def _a_leader_ends_before_the_next_begins(self) -> Self:
        if not self.renew_seconds < self.lease_seconds:
            raise ValueError(
                "expected KRAUT_OPERATOR_RENEW_SECONDS < KRAUT_OPERATOR_LEASE_SECONDS, found "
                f"{self.renew_seconds} and {self.lease_seconds}: else there could be two leaders"
            )
        return self

    @model_validator(mode="after")
    def _a_healthy_leader_can_renew(self) -> Self:
        longest = (self.renew_seconds - attempt_seconds(self.renew_seconds)) / JITTER
        if self.retry_seconds > longest:
            raise ValueError(
                f"expected KRAUT_OPERATOR_RETRY_SECONDS of at most {longest:.1f}, so that a pause stretched by {JITTER - 1:.0%} and an "
                "attempt, of half of KRAUT_OPERATOR_RENEW_SECONDS, fit into the time to renew, found "
                f"{self.retry_seconds} and {self.renew_seconds}: else a healthy leader would end"
            )
        return self


class OperatorProcessSettings(Settings):
    """Everything kraut-operator reads from the environment."""

    operator: OperatorSettings = OperatorSettings()
    home: HomeSettings = HomeSettings()
    kube: KubeSettings = KubeSettings()
    temporal: TemporalSettings = TemporalSettings()
    log: LogSettings = LogSettings()
    probe: ProbeSettings = ProbeSettings()
