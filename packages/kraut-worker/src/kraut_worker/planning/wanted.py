"""What a host's spec asks for and the host does not have yet (pure)."""

from collections.abc import Sequence
from datetime import timedelta

from kraut_core.api.v1alpha1.host import OperationStatus, OperationType
from kraut_worker.planning.leftover import still_pending, still_required
from kraut_worker.planning.scene import Observation, Scene, Situation

SETTLED = timedelta(minutes=15)
"""Updates that are pending right after an installation wait this long: an archive that changes by the minute is no loop."""

IN_VAIN = timedelta(days=1)
"""Updates that an installation left are tried again after this; at once when others come, or when somebody asks."""


def wanted_operation(situation: Situation) -> OperationType | None:
    """The operation that is due, whether or not it may start now.

    With ``updates: None`` a host is only observed: it is not rebooted either, whatever its reboot policy says.
    """
    observation = situation.scene.observation
    if situation.scene.host.spec.operating_system.updates == "None" or observation is None:
        return None
    if _updates_due(situation, observation):
        return "UpdatePackages"
    if _reboot_due(situation, observation):
        return "Reboot"
    return None


def _updates_due(situation: Situation, observation: Observation) -> bool:
    if observation.packages is None:
        return observation.package_problem is not None
    pending = still_pending(observation, situation.scene.host.spec.operating_system.updates)
    return bool(pending) and not _installed_in_vain(situation, pending)


def _installed_in_vain(situation: Situation, pending: str) -> bool:
    """The same wish was carried out lately, and what is pending is what that left."""
    scene = situation.scene
    last = next(iter(_installations(situation.operations)), None)
    if last is None or last.completion_time is None or last.generation != scene.host.metadata.generation:
        return False
    if _asked_since(scene, last):
        return False
    return scene.now - last.completion_time < (IN_VAIN if last.message == pending else SETTLED)


def _reboot_due(situation: Situation, observation: Observation) -> bool:
    if observation.packages is None or observation.packages.broken:
        # dpkg runs at this moment, or was interrupted: a kernel whose postinst did not end may not boot.
        return False
    match situation.scene.host.spec.operating_system.reboot_policy:
        case "IfRequired":
            asked = still_required(observation)
            return bool(asked) and not _rebooted_in_vain(situation, asked)
        case "Always":
            changes = _changes(situation.operations)
            return any(operation.boot_id == observation.info.boot_id for operation in changes)
        case _:
            return False


def _rebooted_in_vain(situation: Situation, asked: str) -> bool:
    """The last reboot changed nothing, and nothing was installed since. Time alone does not make the next one better."""
    changes = _changes(situation.operations)
    for operation in situation.operations:
        if operation in changes:
            return False
        if operation.type == "Reboot" and operation.result == "Succeeded":
            return operation.message == asked and not _asked_since(situation.scene, operation)
    return False


def _asked_since(scene: Scene, operation: OperationStatus) -> bool:
    """A person asked after this was decided, be it while the host was busy, or waited for its turn, and had to wait longer."""
    asked = scene.host.status.last_request_time if scene.host.status else None
    return scene.requested or (asked is not None and operation.start_time < asked)


def _installations(operations: Sequence[OperationStatus]) -> list[OperationStatus]:
    return [
        operation for operation in operations if operation.type == "UpdatePackages" and operation.result == "Succeeded"
    ]


def _changes(operations: Sequence[OperationStatus]) -> list[OperationStatus]:
    """Installations without those that left just what the one before them had left: they changed nothing."""
    done = _installations(operations)
    left_before = [*(operation.message for operation in done[1:]), ""]
    return [
        operation
        for operation, before in zip(done, left_before, strict=False)
        if not operation.message or before != operation.message
    ]
