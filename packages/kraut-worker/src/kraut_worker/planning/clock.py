"""Times of a status that lie in the future: the clock was set back since they were written (pure)."""

from datetime import datetime, timedelta

from kraut_core.api.v1alpha1.host import Host, OperationStatus

SKEW = timedelta(minutes=1)
"""The clocks of two workers differ by less; a time further in the future was written by a clock that was wrong, and is never waited for."""


def is_credible(moment: datetime, now: datetime) -> bool:
    """Whether ``moment`` can have been written before ``now``."""
    return moment <= now + SKEW


def corrected(host: Host, now: datetime) -> Host:
    """The host with the times of its operations and requests that cannot be as ``now``, so that pauses count from here.

    Times of conditions stay: they move with the condition only, and whoever reads them asks ``is_credible``.
    """
    status = host.status
    if status is None:
        return host
    operations = [_corrected(operation, now) for operation in status.operations]
    asked = _past(status.last_request_time, now)
    if operations == status.operations and asked == status.last_request_time:
        return host
    told = status.model_copy(update={"operations": operations, "last_request_time": asked})
    return host.model_copy(update={"status": told})


def _corrected(operation: OperationStatus, now: datetime) -> OperationStatus:
    times = {
        "start_time": _past(operation.start_time, now),
        "completion_time": _past(operation.completion_time, now),
    }
    return operation.model_copy(update=times)


def _past(moment: datetime | None, now: datetime) -> datetime | None:
    return moment if moment is None or is_credible(moment, now) else now
