"""Everything kraut knows of a host after one round trip."""

from dataclasses import dataclass
from datetime import datetime

from kraut_core.api.v1alpha1.host import OperationType
from kraut_worker.operations.state import OperationState


@dataclass(frozen=True, slots=True)
class FactError:
    """A fact that could not be read; the others stand. ``reason`` is CamelCase, ``message`` a sentence."""

    fact: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class OsRelease:
    """os-release(5)."""

    id: str
    version_id: str = ""
    codename: str = ""
    pretty_name: str = ""
    id_like: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine and its present boot. ``uptime_seconds`` is whole seconds; ``system_uuid`` is "" when the firmware shows none."""

    machine_id: str
    boot_id: str
    system_uuid: str
    kernel_version: str
    architecture: str
    uptime_seconds: int


@dataclass(frozen=True, slots=True)
class SystemState:
    """``starting``: systemd has not started all units of this boot yet. ``writable``: /var/lib is."""

    starting: bool
    writable: bool


@dataclass(frozen=True, slots=True)
class Capacity:
    """Logical processors, memory (MemTotal) and size of the root file system in bytes."""

    cpu: int
    memory_bytes: int
    disk_bytes: int


@dataclass(frozen=True, slots=True)
class RebootRequired:
    """Whether the host asks for a reboot, and on whose behalf (package names, or ``kernel`` when needrestart says so)."""

    required: bool
    packages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PendingUpdate:
    """A package that apt would upgrade now. ``origins`` are apt's, such as ``Debian-Security:12/stable-security``."""

    name: str
    installed: str
    candidate: str
    origins: tuple[str, ...]
    security: bool


@dataclass(frozen=True, slots=True)
class Packages:
    """The package manager's state. ``broken`` are the packages that dpkg --audit names."""

    pending: tuple[PendingUpdate, ...] = ()
    new: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()

    @property
    def security(self) -> tuple[PendingUpdate, ...]:
        """The pending updates from a security archive."""
        return tuple(update for update in self.pending if update.security)


@dataclass(frozen=True, slots=True)
class PackageLists:
    """kraut's own package lists on the host. ``problem`` is a RepositoryUnreachable (or like) finding; older lists are used then."""

    refreshed_at: datetime | None
    problem: FactError | None = None


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """Kubernetes on the host: the units and processes found, such as ``kubelet.service``; empty when it is no node."""

    evidence: tuple[str, ...] = ()

    @property
    def present(self) -> bool:
        """The host is a node of some cluster."""
        return bool(self.evidence)


@dataclass(frozen=True, slots=True)
class OperationOnHost:
    """One folder of /var/lib/kraut/ops."""

    id: str
    type: OperationType
    fencing_token: int
    decided_in_boot_id: str
    state: OperationState


@dataclass(frozen=True, slots=True)
class Operations:
    """kraut's operations on the host, newest first, and the greatest fencing token it has seen (0: none)."""

    newest: tuple[OperationOnHost, ...] = ()
    fencing_token: int = 0

    @property
    def running(self) -> OperationOnHost | None:
        """The one that runs now."""
        return next((operation for operation in self.newest if operation.state.state == "Running"), None)


@dataclass(frozen=True, slots=True)
class HostFacts:
    """All facts of one host, as of one moment; a fact that could not be read is a FactError in its place."""

    os_release: OsRelease | FactError
    machine: Machine | FactError
    system_state: SystemState | FactError
    capacity: Capacity | FactError
    reboot_required: RebootRequired | FactError
    package_lists: PackageLists | FactError
    packages: Packages | FactError
    cluster_node: ClusterNode | FactError
    operations: Operations | FactError

    @property
    def errors(self) -> tuple[FactError, ...]:
        """The facts that could not be read."""
        values = (getattr(self, name) for name in self.__slots__)
        return tuple(value for value in values if isinstance(value, FactError))
