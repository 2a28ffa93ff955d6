"""What is worth an Event: the difference between two statuses (pure). Reasons are the conditions' own."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from kraut_core.api.conditions import READY, STALLED, find
from kraut_core.api.v1alpha1.host import HostStatus, OperationStatus
from kraut_worker.planning import verdicts
from kraut_worker.planning.retries import FAILED as FAILED_RESULTS
from kraut_worker.planning.retries import newest


@dataclass(frozen=True, slots=True)
class Note:
    """An Event to be written: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/."""

    type: Literal["Normal", "Warning"]
    reason: str
    action: str
    message: str


STARTED = {"UpdatePackages": "UpdateStarted", "Reboot": "RebootStarted"}
SUCCEEDED = {"UpdatePackages": "UpdateSucceeded", "Reboot": "RebootSucceeded"}
FAILED = {"UpdatePackages": "UpdateFailed", "Reboot": "RebootFailed"}


def notes_between(before: HostStatus | None, after: HostStatus) -> list[Note]:
    """The Events that tell how a host came from one status to the next."""
    return [*_readiness(before, after), *_operations(before, after), *_stall(before, after)]


def _readiness(before: HostStatus | None, after: HostStatus) -> Iterator[Note]:
    was = find(before.conditions, READY) if before else None
    now = find(after.conditions, READY)
    if now is None or (was is not None and (was.status, was.reason) == (now.status, now.reason)):
        return
    # A host that reboots because kraut told it to is away on purpose.
    expected = now.status == "True" or now.reason == verdicts.REBOOTING
    yield Note("Normal" if expected else "Warning", now.reason, "Probe", now.message)


def _stall(before: HostStatus | None, after: HostStatus) -> Iterator[Note]:
    was = find(before.conditions, STALLED) if before else None
    now = find(after.conditions, STALLED)
    ready = find(after.conditions, READY)
    told = ready is not None and now is not None and ready.reason == now.reason
    if now is not None and not told and (was is None or was.reason != now.reason):
        yield Note("Warning", now.reason, "Plan", now.message)


def _operations(before: HostStatus | None, after: HostStatus) -> Iterator[Note]:
    earlier = {operation.id: operation for operation in (before.operations if before else [])}
    for operation in reversed(after.operations):
        was = earlier.get(operation.id)
        if was is None:
            # A retry is told without its id: the same again is the same Event, counted.
            last = newest([other for other in after.operations if other.id != operation.id])
            again = last is not None and last.result in FAILED_RESULTS
            what = "it is tried again" if again else f"operation {operation.id} was decided"
            yield Note("Normal", STARTED[operation.type], operation.type, what)
        if operation.completion_time is not None and (was is None or was.completion_time is None):
            yield _end(operation)


def _end(operation: OperationStatus) -> Note:
    seconds = round(((operation.completion_time or operation.start_time) - operation.start_time).total_seconds())
    if operation.result == "Succeeded":
        left = f"; {operation.message}" if operation.message else ""
        message = f"operation {operation.id} succeeded after {seconds} s{left}"
        return Note("Normal", SUCCEEDED[operation.type], operation.type, message)
    # Neither id nor duration: the same failure again is the same Event, counted.
    message = operation.message or "it ended without a word"
    return Note("Warning", FAILED[operation.type], operation.type, message)
