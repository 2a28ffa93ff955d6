"""Scenes in few words, for tests of decisions. What cannot be is refused, so that a test does not prove it by accident."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from kraut_core.api.maintenance import OperatingSystem, RebootPolicy, UpdatePolicy
from kraut_core.api.meta import ObjectMeta
from kraut_core.api.v1alpha1.host import (
    Host,
    HostCapacity,
    HostInfo,
    HostSpec,
    HostStatus,
    OperationResult,
    OperationStatus,
    OperationType,
    PackageStatus,
)
from kraut_core.api.v1alpha1.upgradepolicy import UpgradePolicySpec
from kraut_worker.facts.model import OperationOnHost
from kraut_worker.operations.state import OperationState, State
from kraut_worker.planning.scene import Observation, Problem, Scene

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""A Monday at noon."""

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
BOOT = "boot-1"


def make_host(
    *,
    name: str = "web-1",
    uid: str = "",
    generation: int = 1,
    updates: UpdatePolicy = "All",
    reboot_policy: RebootPolicy = "IfRequired",
    annotations: Mapping[str, str] | None = None,
    status: HostStatus | None = None,
    **spec: Any,
) -> Host:
    """A Host with pinned keys; ``spec`` are further fields of its spec."""
    fields = {"address": "198.18.0.10", "credentials_ref": {"name": "web"}, "host_keys": [KEY], **spec}
    return Host(
        metadata=ObjectMeta(
            name=name,
            namespace="lab",
            uid=uid or f"uid-{name}",
            generation=generation,
            annotations=dict(annotations or {}),
        ),
        spec=HostSpec(
            operating_system=OperatingSystem(updates=updates, reboot_policy=reboot_policy),
            **fields,
        ),
        status=status,
    )


def make_operation(
    result: OperationResult = "Running",
    *,
    id_: str = "op-1",
    type_: OperationType = "UpdatePackages",
    began: datetime = NOW - timedelta(minutes=2),
    ended: datetime | None = None,
    exit_code: int | None = None,
    boot: str = BOOT,
    generation: int = 1,
    message: str = "",
) -> OperationStatus:
    """An operation of a status; one that has ended did so now unless ``ended`` says otherwise."""
    is_open = result in ("Running", "Unknown")
    if is_open and (ended is not None or exit_code is not None):
        raise ValueError(f"an operation that is {result} has no end yet")
    codes: dict[str, int | None] = {"Succeeded": 0, "Failed": 12}
    return OperationStatus(
        id=id_,
        type=type_,
        result=result,
        start_time=began,
        completion_time=None if is_open else ended or NOW,
        exit_code=exit_code if exit_code is not None else codes.get(result),
        boot_id=boot,
        generation=generation,
        message=message,
    )


def on_host(
    state: State = "Running",
    *,
    id_: str = "op-1",
    type_: OperationType = "UpdatePackages",
    exit_code: int | None = None,
    boot: str = BOOT,
    now_in: str = BOOT,
    token: int = 1,
) -> OperationOnHost:
    """An operation as the host tells of it; only one that is Done has an exit code."""
    if (state == "Done") != (exit_code is not None):
        raise ValueError(f"an operation that is {state} cannot have the exit code {exit_code}")
    return OperationOnHost(
        id=id_,
        type=type_,
        fencing_token=token,
        decided_in_boot_id=boot,
        state=OperationState(state=state, exit_code=exit_code, boot_id=boot, current_boot_id=now_in),
    )


def make_observation(
    *,
    pending: int = 0,
    security: int = 0,
    broken: bool = False,
    package_problem: Problem | None = None,
    packages_known: bool = True,
    reboot_required_by: Iterable[str] | None = None,
    cluster_node: str = "",
    boot: str = BOOT,
    operations: Iterable[OperationOnHost] = (),
    token: int = 0,
    starting: bool = False,
    read_only: bool = False,
) -> Observation:
    """A host as it was seen; ``reboot_required_by`` not None: it asks for a reboot."""
    if security > pending:
        raise ValueError(f"of {pending} pending updates {security} cannot be security updates")
    if not packages_known and package_problem is None:
        raise ValueError("packages are unknown for a reason")
    packages = PackageStatus(pending=pending, security=security, broken=broken)
    return Observation(
        info=HostInfo(machineID="m-1", bootID=boot, os_image="Debian GNU/Linux 12 (bookworm)", osID="debian"),
        capacity=HostCapacity(cpu=2, memory_bytes=1 << 30, disk_bytes=1 << 33),
        packages=packages if packages_known else None,
        package_problem=package_problem,
        reboot_required=reboot_required_by is not None,
        reboot_required_by=tuple(reboot_required_by or ()),
        cluster_node=cluster_node,
        operations={operation.id: operation for operation in operations},
        fencing_token=token,
        host_key=KEY,
        starting=starting,
        read_only=read_only,
    )


def make_scene(
    host: Host,
    seen: Observation | Problem,
    *,
    now: datetime = NOW,
    policy: UpgradePolicySpec | None = None,
    policy_missing: bool = False,
    policy_problem: Problem | None = None,
    new_operation_id: str = "new",
    in_flight: str = "",
    attempt: int = 0,
    requested: bool = False,
) -> Scene:
    """A scene: either the host was seen, or there is a problem."""
    if in_flight == new_operation_id:
        raise ValueError("an operation id is minted after the one in flight")
    return Scene(
        host=host,
        now=now,
        policy=policy or UpgradePolicySpec(),
        policy_missing=policy_missing,
        policy_problem=policy_problem,
        observation=seen if isinstance(seen, Observation) else None,
        problem=seen if isinstance(seen, Problem) else None,
        new_operation_id=new_operation_id,
        in_flight=in_flight,
        attempt=attempt,
        requested=requested,
        workflow_id="home/Host/lab/web-1",
    )
