"""Everything a decision about a host may look at, gathered before anything is decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from kraut_core.api.v1alpha1.host import Host, HostCapacity, HostInfo, OperationStatus, PackageStatus
from kraut_core.api.v1alpha1.upgradepolicy import UpgradePolicySpec
from kraut_core.errors import KrautError
from kraut_core.redaction import redact_text
from kraut_worker.facts.model import OperationOnHost


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as data."""

    reason: str
    message: str
    permanent: bool

    @classmethod
    def of(cls, error: KrautError) -> "Problem":
        """The problem that an error tells of; what it quotes of a host may hold a secret of the host's."""
        return cls(reason=error.reason, message=redact_text(error.message), permanent=error.permanent)


@dataclass(frozen=True, slots=True)
class Observation:
    """A host as it was seen in one round trip."""

    info: HostInfo
    capacity: HostCapacity | None
    """None when it could not be read."""
    packages: PackageStatus | None
    """None when the host has no package manager that kraut knows, or it could not be asked (``package_problem``)."""
    package_problem: Problem | None = None
    """Why ``packages`` is missing or old."""
    pending_names: tuple[str, ...] = ()
    """The packages that ``packages.pending`` counts; ``security_names`` those of ``packages.security``."""
    security_names: tuple[str, ...] = ()
    reboot_required: bool = False
    reboot_required_by: tuple[str, ...] = ()
    cluster_node: str = ""
    """What makes it a node of a cluster: ``kubelet``, ``k3s``, ``rke2``; empty when it is none."""
    uptime_seconds: float = 0.0
    starting: bool = False
    """systemd has not started all units of this boot yet."""
    read_only: bool = False
    """/var/lib cannot be written: a file system came up, or was turned, read-only."""
    operations: Mapping[str, OperationOnHost] = field(default_factory=dict)
    fencing_token: int = 0
    """The greatest token that the host has seen; a re-created Host starts behind it."""
    host_key: str = ""
    """The key that the host showed, as an OpenSSH public-key line."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A Host, what it wants, and what was seen of the machine."""

    host: Host
    now: datetime
    policy: UpgradePolicySpec
    """The shared policy's spec, or the defaults when the host refers to none."""
    policy_missing: bool
    """upgradePolicyRef names what does not exist."""
    observation: Observation | None
    problem: Problem | None
    """Why there is no observation."""
    new_operation_id: str
    """The id for the operation that may be decided now."""
    in_flight: str
    """Id of the operation that an activity is busy with at this moment; empty when there is none."""
    attempt: int
    """How many looks in a row found trouble that time may heal."""
    requested: bool
    """A person asked, by the annotation, for another look or another try."""
    policy_problem: Problem | None = None
    """Why the policy that upgradePolicyRef names cannot be read."""
    workflow_id: str = ""
    refused_id: str = ""
    refusal: str = ""
    """Why the host refused to start the operation ``refused_id`` just now."""


@dataclass(frozen=True, slots=True)
class Situation:
    """A scene, the operations as they stand by now (newest first) and the failures in a row."""

    scene: Scene
    operations: Sequence[OperationStatus]
    failures: int
