"""What became of the operations that were decided before (pure): the history in status against the host's own word."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from kraut_core.api.v1alpha1.host import OperationResult, OperationStatus
from kraut_worker.facts.model import OperationOnHost
from kraut_worker.operations.exit_codes import describe_exit
from kraut_worker.planning.leftover import left_over
from kraut_worker.planning.scene import Observation, Scene

HISTORY = 10
"""How many operations a status keeps; as many as its schema allows."""

OPEN: frozenset[OperationResult] = frozenset({"Running", "Unknown"})

MAX_MESSAGE = 1024
"""Characters of an operation's message; as many as its schema allows."""

NEVER_STARTED = "it never started on the host"
KILLED = "it ended without leaving a result: it was killed"


def settle_operations(scene: Scene) -> list[OperationStatus]:
    """The operations of the status, newest first, with every result that is known by now.

    Operations that run on the host without being in the status (the Host was re-created meanwhile) are adopted.
    """
    known = list(scene.host.status.operations) if scene.host.status else []
    settled = [_settle(operation, scene) if _is_unsettled(operation, scene) else operation for operation in known]
    return [*_adopted(scene, {operation.id for operation in known}), *settled][:HISTORY]


def open_operation(operations: Iterable[OperationStatus]) -> OperationStatus | None:
    """The operation whose end is not known yet, if any."""
    return next((operation for operation in operations if operation.result in OPEN), None)


def deadline_passed(operation: OperationStatus, seconds: float, now: datetime) -> bool:
    """Whether ``seconds`` have gone by since the operation was decided."""
    return now - operation.start_time > timedelta(seconds=seconds)


def _is_unsettled(operation: OperationStatus, scene: Scene) -> bool:
    """Whether there is more to know. Given up as lost, it may have begun later: an order that was long on its way."""
    if operation.result in OPEN or operation.result != "Lost" or scene.observation is None:
        return operation.result in OPEN
    seen = scene.observation.operations.get(operation.id)
    if seen is None or operation.type == "Reboot":
        return False
    return seen.state.state == "Running" or (seen.state.state == "Done" and seen.state.exit_code is not None)


def _settle(operation: OperationStatus, scene: Scene) -> OperationStatus:
    if scene.observation is None:
        return _unseen(operation, scene)
    seen = scene.observation.operations.get(operation.id)
    if operation.type == "Reboot":
        return _settle_reboot(operation, seen, scene)
    return _settle_work(operation, seen, scene)


def _settle_work(operation: OperationStatus, seen: OperationOnHost | None, scene: Scene) -> OperationStatus:
    match seen.state.state if seen is not None else "Absent":
        case "Running":
            return _still_running(operation)
        case "Done":
            return _done(operation, seen.state.exit_code if seen is not None else None, scene)
        case "Lost":
            return _ended(operation, "Lost", scene.now, message=KILLED)
        case "Rebooted":
            return _ended(operation, "Lost", scene.now, message="the host rebooted before it ended")
        case _:
            return _never_started(operation, scene)


def _settle_reboot(operation: OperationStatus, seen: OperationOnHost | None, scene: Scene) -> OperationStatus:
    observation = scene.observation
    if observation is not None and observation.info.boot_id != operation.boot_id:
        return _ended(operation, "Succeeded", scene.now, exit_code=0, message=left_over("Reboot", scene))
    if seen is None or seen.state.state in ("Absent", "Pending"):
        return _never_started(operation, scene)
    if seen.state.state == "Done" and seen.state.exit_code:
        return _done(operation, seen.state.exit_code, scene)
    if seen.state.state == "Lost":
        # It outlives the beginning of a shutdown: killed before its end, it need not have told systemd anything.
        return _ended(operation, "Lost", scene.now, message=KILLED)
    # While an activity stays with it, it may have been told only now: the deadline counts from the decision.
    if operation.id != scene.in_flight and deadline_passed(
        operation, scene.policy.progress_deadline_seconds, scene.now
    ):
        message = (
            f"the host was told to reboot and still runs boot {operation.boot_id} after "
            f"{scene.policy.progress_deadline_seconds} s: look at its console"
        )
        return _ended(operation, "Failed", scene.now, message=message)
    return _still_running(operation)


def _still_running(operation: OperationStatus) -> OperationStatus:
    return operation.model_copy(update={"result": "Running", "completion_time": None, "exit_code": None, "message": ""})


def _done(operation: OperationStatus, exit_code: int | None, scene: Scene) -> OperationStatus:
    if exit_code is None:
        return _ended(operation, "Lost", scene.now, message="its result file holds no exit code")
    if exit_code == 0:
        return _ended(operation, "Succeeded", scene.now, exit_code=0, message=left_over(operation.type, scene))
    return _ended(operation, "Failed", scene.now, exit_code=exit_code, message=describe_exit(exit_code)[1])


def _unseen(operation: OperationStatus, scene: Scene) -> OperationStatus:
    """Loss of SSH is neither success nor failure (U15, I12)."""
    awaited = operation.type == "Reboot" and not deadline_passed(
        operation, scene.policy.progress_deadline_seconds, scene.now
    )
    if awaited or operation.id == scene.in_flight:
        return operation
    return operation.model_copy(update={"result": "Unknown", "message": "the host cannot be asked"})


def _never_started(operation: OperationStatus, scene: Scene) -> OperationStatus:
    """Decided and written down, then the worker died before the host heard of it, or it is about to hear of it."""
    about_to = operation.id == scene.new_operation_id and operation.generation == scene.host.metadata.generation
    if about_to or operation.id == scene.in_flight:
        return operation
    why = f": {scene.refusal}" if scene.refusal and operation.id == scene.refused_id else ""
    return _ended(operation, "Lost", scene.now, message=NEVER_STARTED + why)


def _ended(
    operation: OperationStatus,
    result: OperationResult,
    now: datetime,
    *,
    exit_code: int | None = None,
    message: str = "",
) -> OperationStatus:
    return operation.model_copy(
        update={"result": result, "completion_time": now, "exit_code": exit_code, "message": message[:MAX_MESSAGE]}
    )


def _adopted(scene: Scene, known: set[str]) -> list[OperationStatus]:
    observation = scene.observation
    if observation is None:
        return []
    return [_adopt(found, observation, scene) for found in observation.operations.values() if _is_stray(found, known)]


def _is_stray(found: OperationOnHost, known: set[str]) -> bool:
    return found.state.state == "Running" and found.id not in known


def _adopt(found: OperationOnHost, observation: Observation, scene: Scene) -> OperationStatus:
    return OperationStatus(
        id=found.id,
        type=found.type,
        result="Running",
        start_time=scene.now,
        boot_id=found.decided_in_boot_id or observation.info.boot_id,
        generation=scene.host.metadata.generation,
        workflow_id=scene.workflow_id,
    )


def ended_now(before: Sequence[OperationStatus], after: Sequence[OperationStatus]) -> list[OperationStatus]:
    """Operations that were open before, or unknown to the status, and have ended since."""
    were_open = {operation.id for operation in before if operation.result in OPEN}
    return [operation for operation in after if operation.id in were_open and operation.result not in OPEN]
