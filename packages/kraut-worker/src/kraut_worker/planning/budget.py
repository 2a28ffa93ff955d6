"""How many hosts that share an UpgradePolicy may be disrupted at once (pure).

I5: before a host is disrupted, hosts unavailable for any reason + 1 <= maxUnavailable. The answer is made safe by
writing the reservation under the resourceVersion of the policy that was read: of two who count at the same moment, one
is refused and counts again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kraut_core.api.conditions import READY, RECONCILING, find
from kraut_core.api.v1alpha1.host import Host, HostStatus
from kraut_core.api.v1alpha1.upgradepolicy import IntOrPercent, Reservation, UpgradePolicy
from kraut_worker.planning import verdicts
from kraut_worker.planning.clock import is_credible
from kraut_worker.planning.sharing import Sharer

MOST: Final = 1024
"""As many reservations as the schema of an UpgradePolicy's status allows."""


@dataclass(frozen=True, slots=True)
class Granted:
    """The host may be disrupted; ``reservations`` is what the policy's status must say for that to be true."""

    reservations: tuple[Reservation, ...]


@dataclass(frozen=True, slots=True)
class Denied:
    """The host must wait; ``message`` says for whom, ``sharing`` is how many hosts share the policy."""

    message: str
    sharing: int = 0


def reserve(
    policy: UpgradePolicy, sharing: Sequence[Sharer], host: Host, now: datetime, token: int
) -> Granted | Denied:
    """Ask for a place for ``host`` among ``sharing``, all hosts that refer to ``policy`` (``host`` included).

    One that this version cannot read counts as unavailable, and keeps its place: another version may be working on it.

    ``token`` is the fencing token of the operation that is to start; a place that is held already is renewed with it.
    """
    held = live_reservations(policy, sharing)
    if any(reservation.uid == host.metadata.uid for reservation in held):
        return occupy(policy, sharing, host, now, token)
    budget = max_unavailable(policy.spec.rolling_update.max_unavailable, len(sharing))
    steady = timedelta(seconds=policy.spec.min_ready_seconds)
    unavailable = unavailable_names(sharing, held, but=host.metadata.uid, now=now, steady=steady)
    if len(unavailable) + 1 > min(budget, MOST):
        return Denied(_why(policy.metadata.name, budget, unavailable), len(sharing))
    return occupy(policy, sharing, host, now, token)


def occupy(policy: UpgradePolicy, sharing: Sequence[Sharer], host: Host, now: datetime, token: int) -> Granted:
    """Take a place for ``host`` whatever the budget says: it is being disrupted already, under another policy or uid."""
    held = live_reservations(policy, sharing)
    mine = Reservation(kind=host.kind, name=host.metadata.name, uid=host.metadata.uid, since=now, fencing_token=token)
    if not any(reservation.uid == mine.uid for reservation in held):
        return Granted((*held, mine)[-MOST:])
    return Granted(tuple(_renewed(found, token) if found.uid == mine.uid else found for found in held))


def _renewed(reservation: Reservation, token: int) -> Reservation:
    return reservation.model_copy(update={"fencing_token": max(reservation.fencing_token, token)})


def release(policy: UpgradePolicy, sharing: Sequence[Sharer], uid: str, token: int) -> tuple[Reservation, ...] | None:
    """The reservations without that of ``uid``; None when nothing changes.

    A place that was renewed for an operation with a greater token than ``token`` stays: whoever gives it back has slept.
    """
    held = tuple(policy.status.reservations) if policy.status else ()
    kept = tuple(
        reservation
        for reservation in live_reservations(policy, sharing)
        if reservation.uid != uid or reservation.fencing_token > token
    )
    return None if kept == held else kept


def live_reservations(policy: UpgradePolicy, sharing: Iterable[Sharer]) -> tuple[Reservation, ...]:
    """Reservations of hosts that still exist and still share the policy; others died with their holder."""
    alive = {host.metadata.uid for host in sharing}
    held = policy.status.reservations if policy.status else []
    return tuple(reservation for reservation in held if reservation.uid in alive)


def waiting(sharing: Iterable[Sharer]) -> list[Host]:
    """The hosts that wait for a place, longest first.

    Reconciling stands since a host began to back off, or to be out of reach: it waits for its place since the last of its
    conditions changed or its last operation ended, whichever came later.
    """
    known = (host for host in sharing if isinstance(host, Host))
    found = [(status, host) for host in known if (status := host.status) is not None and _waits(status)]
    return [host for _, host in sorted(found, key=lambda pair: _since(pair[0]))]


def _waits(status: HostStatus) -> bool:
    reconciling = find(status.conditions, RECONCILING)
    return reconciling is not None and reconciling.reason == verdicts.WAITING_FOR_BUDGET


def _since(status: HostStatus) -> datetime:
    ends = [operation.completion_time for operation in status.operations if operation.completion_time is not None]
    return max([*(condition.last_transition_time for condition in status.conditions), *ends])


def max_unavailable(value: IntOrPercent, total: int) -> int:
    """The budget as a count: a percentage is rounded down but never below 1, unless it is 0%."""
    if isinstance(value, int):
        return value
    percent = int(value.removesuffix("%"))
    return max(1, total * percent // 100) if percent else 0


def unavailable_names(
    sharing: Iterable[Sharer], held: Iterable[Reservation], *, but: str, now: datetime, steady: timedelta
) -> list[str]:
    """Names of the hosts that are unavailable or may become so at any moment, without the one of uid ``but``.

    As in a Deployment, available is who has been Ready for minReadySeconds (``steady``).
    """
    reserved = {reservation.uid for reservation in held}
    return sorted(
        host.metadata.name
        for host in sharing
        if host.metadata.uid != but and (host.metadata.uid in reserved or not _available(host, now, steady))
    )


def _available(host: Sharer, now: datetime, steady: timedelta) -> bool:
    ready = find(host.status.conditions, READY) if host.status is not None else None
    if ready is None or ready.status != "True":
        return False
    since = ready.last_transition_time
    return since <= now - steady or not is_credible(since, now)


def _why(policy: str, budget: int, unavailable: Sequence[str]) -> str:
    if budget == 0:
        return f"UpgradePolicy {policy} allows no host to be unavailable (maxUnavailable 0): raise it to let work start"
    shown = ", ".join(unavailable[:5]) + (f" and {len(unavailable) - 5} more" if len(unavailable) > 5 else "")
    return f"UpgradePolicy {policy} allows {budget} unavailable; waiting for {shown}"
