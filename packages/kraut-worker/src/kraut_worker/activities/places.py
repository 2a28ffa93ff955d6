"""Places in the budget of an UpgradePolicy: taken and given back under its resourceVersion."""

from collections.abc import Sequence
from datetime import datetime

from kraut_core.api.v1alpha1.host import Host
from kraut_core.api.v1alpha1.upgradepolicy import Reservation, UpgradePolicy, UpgradePolicyStatus
from kraut_core.errors import ConflictError, ForbiddenError, InvalidSpecError, NotFoundError
from kraut_core.kube.client import KubeClient
from kraut_worker.planning.budget import Denied, occupy, release, reserve, waiting
from kraut_worker.planning.sharing import Sharer, Sharing

TRIES = 20
"""Of hosts that ask at once one wins each time; whoever lost so often waits for its next turn."""


async def take_place(kube: KubeClient, host: Host, now: datetime, token: int) -> Denied | None:
    """Reserve a place for ``host`` in the budget of its policy; None when it has one (or needs none).

    ``token`` is the fencing token of the operation that is to start.
    """
    reference = host.spec.upgrade_policy_ref
    if reference is None:
        return None
    for _ in range(TRIES):
        try:
            policy = await kube.get(UpgradePolicy, host.metadata.namespace, reference.name)
        except NotFoundError:
            return Denied(f"UpgradePolicy {reference.name} does not exist any more")
        except (ForbiddenError, InvalidSpecError) as error:
            return Denied(error.message)
        outcome = reserve(policy, await _sharing(kube, policy), host, now, token)
        if isinstance(outcome, Denied):
            return outcome
        if await _write(kube, policy, outcome.reservations):
            return None
    return Denied(f"UpgradePolicy {reference.name} is being asked by too many hosts at once")


async def keep_place(kube: KubeClient, host: Host, now: datetime, token: int) -> None:
    """See to it that a host in mid work holds a place: it may have come under its policy, or been re-created, meanwhile."""
    for _ in range(TRIES):
        policy = await _read(kube, host)
        if policy is None or any(held.uid == host.metadata.uid for held in _held(policy)):
            return
        if await _write(kube, policy, occupy(policy, await _sharing(kube, policy), host, now, token).reservations):
            return


async def held_token(kube: KubeClient, host: Sharer) -> int | None:
    """The fencing token of the place that ``host`` holds in the budget of its policy; None when it holds none."""
    policy = await _read(kube, host)
    places = _held(policy) if policy is not None else ()
    return next((held.fencing_token for held in places if held.uid == host.metadata.uid), None)


async def give_back(kube: KubeClient, host: Sharer, token: int) -> list[Host]:
    """Give a place back; returns the hosts that wait for one, longest first (none when nothing was given back).

    ``token`` is the greatest fencing token that whoever decides this knows of.
    """
    for _ in range(TRIES):
        policy = await _read(kube, host)
        if policy is None or not any(held.uid == host.metadata.uid for held in _held(policy)):
            return []
        sharing = await _sharing(kube, policy)
        kept = release(policy, sharing, host.metadata.uid, token)
        if kept is None or await _write(kube, policy, kept):
            # One more than came free: if the first cannot start after all, the second does. The rest look again by themselves.
            return waiting(sharing)[:2]
    return []


async def _read(kube: KubeClient, host: Sharer) -> UpgradePolicy | None:
    """The policy that a Host names; None when it names none, or one that does not exist or cannot be read."""
    reference = host.spec.upgrade_policy_ref
    if reference is None:
        return None
    try:
        return await kube.get(UpgradePolicy, host.metadata.namespace, reference.name)
    except (NotFoundError, ForbiddenError, InvalidSpecError):
        return None


def _held(policy: UpgradePolicy) -> Sequence[Reservation]:
    return policy.status.reservations if policy.status is not None else ()


async def _sharing(kube: KubeClient, policy: UpgradePolicy) -> list[Sharer]:
    sharing = Sharing(policy)
    manifests = kube.list_manifests(Host, policy.metadata.namespace)
    return [sharer async for manifest in manifests if (sharer := sharing.read(manifest)) is not None]


async def _write(kube: KubeClient, policy: UpgradePolicy, reservations: Sequence[Reservation]) -> bool:
    if list(reservations) == list(_held(policy)):
        return True
    status = UpgradePolicyStatus(reservations=list(reservations))
    try:
        await kube.replace_status(UpgradePolicy, policy.model_copy(update={"status": status}))
    except ConflictError:
        return False
    return True
