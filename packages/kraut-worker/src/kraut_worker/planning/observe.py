"""From a host's facts to what decisions look at (pure)."""

from typing import TypeVar

from kraut_core.api.v1alpha1.host import HostCapacity, HostInfo, PackageStatus
from kraut_core.errors import UnknownOutcomeError, UnsupportedHostError
from kraut_core.redaction import redact_text
from kraut_worker.facts.gather import require_supported
from kraut_worker.facts.model import (
    Capacity,
    ClusterNode,
    FactError,
    HostFacts,
    Machine,
    Operations,
    OsRelease,
    PackageLists,
    Packages,
    RebootRequired,
    SystemState,
)
from kraut_worker.planning.scene import Observation, Problem

SHOWN = 64
"""Names that a status lists at most."""

FactT = TypeVar("FactT")


def observe(facts: HostFacts, host_key: str) -> Observation:
    """The observation that the facts make.

    Raises UnknownOutcomeError when the machine, its state, what runs on it or whether it is a cluster node could not be read:
    deciding without them could run something twice, too early, or on a host that belongs to a cluster.
    """
    machine = _needed(facts.machine, Machine)
    state = _needed(facts.system_state, SystemState)
    operations = _needed(facts.operations, Operations)
    node = _needed(facts.cluster_node, ClusterNode)
    reboot = _needed(facts.reboot_required, RebootRequired)
    system = facts.os_release if isinstance(facts.os_release, OsRelease) else OsRelease(id="")
    return Observation(
        info=_info(machine, system),
        capacity=_capacity(facts.capacity),
        packages=_packages(facts),
        package_problem=_package_problem(facts),
        pending_names=_names(facts, security=False),
        security_names=_names(facts, security=True),
        reboot_required=reboot.required,
        reboot_required_by=reboot.packages[:SHOWN],
        cluster_node=", ".join(node.evidence[:3]),
        uptime_seconds=machine.uptime_seconds,
        starting=state.starting,
        read_only=not state.writable,
        operations={operation.id: operation for operation in operations.newest},
        fencing_token=operations.fencing_token,
        host_key=host_key,
    )


def _needed(fact: FactT | FactError, _: type[FactT]) -> FactT:
    if isinstance(fact, FactError):
        raise UnknownOutcomeError(f"{fact.fact} of the host could not be read: {fact.message}", reason=fact.reason)
    return fact


def _capacity(fact: Capacity | FactError) -> HostCapacity | None:
    if isinstance(fact, FactError):
        return None
    return HostCapacity(cpu=fact.cpu, memory_bytes=fact.memory_bytes, disk_bytes=fact.disk_bytes)


def _info(machine: Machine, system: OsRelease) -> HostInfo:
    return HostInfo(
        machineID=machine.machine_id,
        systemUUID=machine.system_uuid,
        bootID=machine.boot_id,
        kernel_version=machine.kernel_version,
        architecture=machine.architecture,
        os_image=system.pretty_name,
        osID=system.id,
        os_version=system.version_id,
        os_codename=system.codename,
    )


def _packages(facts: HostFacts) -> PackageStatus | None:
    if not isinstance(facts.packages, Packages):
        return None
    lists = facts.package_lists
    return PackageStatus(
        pending=len(facts.packages.pending),
        security=len(facts.packages.security),
        held=list(facts.packages.held[:SHOWN]),
        broken=bool(facts.packages.broken),
        lists_refreshed_at=lists.refreshed_at if isinstance(lists, PackageLists) else None,
    )


def _names(facts: HostFacts, *, security: bool) -> tuple[str, ...]:
    if not isinstance(facts.packages, Packages):
        return ()
    return tuple(sorted(update.name for update in (facts.packages.security if security else facts.packages.pending)))


def _package_problem(facts: HostFacts) -> Problem | None:
    try:
        require_supported(facts)
    except UnsupportedHostError as unsupported:
        return Problem.of(unsupported)
    lists = facts.package_lists
    found = [facts.packages, lists.problem if isinstance(lists, PackageLists) else lists]
    error = next((fact for fact in found if isinstance(fact, FactError)), None)
    if error is None:
        return None
    # apt quotes its sources, in which some keep a password.
    return Problem(error.reason, redact_text(error.message), permanent=False)
