"""How often a failed operation is tried again (pure)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from kraut_core.api.v1alpha1.host import OperationResult, OperationStatus
from kraut_worker.operations.exit_codes import ExitCode
from kraut_worker.planning.settle import NEVER_STARTED

FAILED: frozenset[OperationResult] = frozenset({"Failed", "Lost"})

HEALED_BY_TIME: frozenset[int] = frozenset(
    {
        ExitCode.LOCK_TIMEOUT,
        ExitCode.REPOSITORY_UNREACHABLE,
        ExitCode.HOST_LOCKED,
        ExitCode.PACKAGES_IN_TRANSITION,
    }
)
"""Harmless, and gone by itself one day: these do not count towards backoffLimit, they only slow down."""

HARMLESS: frozenset[int] = HEALED_BY_TIME | {
    ExitCode.READ_ONLY,
    ExitCode.NO_ROOM,
    ExitCode.UNRESOLVABLE,
    ExitCode.REBOOT_REFUSED,
}
"""The operation ended before it changed anything: nobody is disrupted."""

FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=6)
"""As the Job controller's (10 s, doubling, 6 min): https://kubernetes.io/docs/concepts/workloads/controllers/job/"""


def newest(operations: Sequence[OperationStatus]) -> OperationStatus | None:
    """The newest operation that ended."""
    return next((operation for operation in operations if operation.completion_time is not None), None)


def did_harm(operation: OperationStatus) -> bool:
    """Whether a failed operation may have left the host half done."""
    if operation.message.startswith(NEVER_STARTED):
        return False
    return operation.result in FAILED and operation.exit_code not in HARMLESS


def did_harm_before(operations: Sequence[OperationStatus]) -> bool:
    """Whether one since the last success did (newest first): a failure that changed nothing mended nothing either."""
    failed = takewhile(
        lambda operation: operation.result in FAILED, (o for o in operations if o.completion_time is not None)
    )
    return any(did_harm(operation) for operation in failed)


def is_exhausted(operation: OperationStatus, failures: int, backoff_limit: int) -> bool:
    """Whether somebody must look before it is tried again."""
    return failures > backoff_limit and operation.exit_code not in HEALED_BY_TIME


def setbacks(operations: Sequence[OperationStatus], generation: int, failures: int) -> int:
    """Failures in a row that make the pause longer: those that count, and the newest ones that time heals."""
    ended = (operation for operation in operations if operation.completion_time is not None)
    return failures + sum(1 for _ in takewhile(lambda operation: _heals(operation, generation), ended))


def _heals(operation: OperationStatus, generation: int) -> bool:
    return operation.exit_code in HEALED_BY_TIME and operation.generation == generation


def retry_at(operation: OperationStatus, setbacks: int) -> datetime:
    """When a failed operation may be tried again: 10 s after its end, then 20, 40 … 360 s."""
    pause: timedelta = min(FIRST_PAUSE * 2 ** min(max(setbacks - 1, 0), 16), LONGEST_PAUSE)
    return (operation.completion_time or operation.start_time) + pause


def count_failures(before: int, ended: Sequence[OperationStatus]) -> int:
    """Failures in a row after ``ended`` (newest first) came to an end; what time heals is none, and ends no row either."""
    failures = before
    for operation in reversed(ended):
        tried = operation.message != NEVER_STARTED  # else a worker died, or was too busy to begin
        if tried and operation.exit_code not in HEALED_BY_TIME:
            failures = failures + 1 if operation.result in FAILED else 0
    return failures
