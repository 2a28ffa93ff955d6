"""What changed between two looks at the hosts, as lines for a person (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kraut_core.api.conditions import READY, RECONCILING, STALLED, find, is_true
from kraut_core.api.meta import Condition
from kraut_core.api.v1alpha1.host import UP_TO_DATE, Host, OperationStatus

_VERBS = {"UpdatePackages": "package updates", "Reboot": "reboot"}


def steps_between(before: Mapping[str, Host], after: Mapping[str, Host]) -> Iterator[tuple[str, str]]:
    """Yield (host name, sentence) for everything that happened between two looks."""
    for name, host in after.items():
        for sentence in _steps(before.get(name), host):
            yield name, sentence


def _steps(before: Host | None, after: Host) -> Iterator[str]:
    yield from _operations(before, after)
    for type_, words in ((READY, "ready"), (RECONCILING, "working"), (STALLED, "stalled"), (UP_TO_DATE, "up to date")):
        was = find(before.status.conditions, type_) if before and before.status else None
        now = find(after.status.conditions, type_) if after.status else None
        if now is not None and (was is None or (was.status, was.reason) != (now.status, now.reason)):
            yield f"{words}={now.status} {now.reason}: {now.message}"


def _operations(before: Host | None, after: Host) -> Iterator[str]:
    known = {operation.id: operation for operation in (before.status.operations if before and before.status else [])}
    for operation in reversed(after.status.operations if after.status else []):
        was = known.get(operation.id)
        if was is None:
            yield f"{_VERBS[operation.type]} started as operation {operation.id}"
        if operation.completion_time is not None and (was is None or was.completion_time is None):
            yield _end(operation)


def _end(operation: OperationStatus) -> str:
    seconds = (operation.completion_time or operation.start_time) - operation.start_time
    tail = f": {operation.message}" if operation.message else ""
    return f"{_VERBS[operation.type]} {operation.result.lower()} after {seconds.total_seconds():.0f} s{tail}"


def is_discovered(host: Host) -> bool:
    """kraut answered this generation, reached the host and is at rest."""
    return _answered(host) and _at_rest(host) and is_true(_conditions(host), READY)


def is_done(host: Host) -> bool:
    """Discovered, nothing pending and no reboot due."""
    return is_discovered(host) and is_true(_conditions(host), UP_TO_DATE)


def is_stalled(host: Host) -> bool:
    """Nothing goes on until somebody acts."""
    return is_true(_conditions(host), STALLED)


def _answered(host: Host) -> bool:
    return host.status is not None and host.status.observed_generation == host.metadata.generation


def _at_rest(host: Host) -> bool:
    return not is_true(_conditions(host), RECONCILING) and not is_stalled(host)


def _conditions(host: Host) -> list[Condition]:
    return host.status.conditions if host.status is not None else []
