"""What happens to a host next (pure): one rule book, read from the top; the first rule that applies decides."""

from collections.abc import Callable
from datetime import timedelta
from typing import Literal

from kraut_core.api.v1alpha1.host import OperationStatus, OperationType
from kraut_core.errors import AuthenticationError, InvalidSpecError
from kraut_worker.planning import verdicts
from kraut_worker.planning.decision import Decision
from kraut_worker.planning.retries import did_harm, did_harm_before, is_exhausted, newest, retry_at, setbacks
from kraut_worker.planning.scene import Problem, Scene, Situation
from kraut_worker.planning.settle import deadline_passed, open_operation
from kraut_worker.planning.stability import coming_up, steadiness
from kraut_worker.planning.wanted import wanted_operation
from kraut_worker.planning.windows import Closed, window_at

LONGEST_TIMER = timedelta(hours=1)
"""Waits longer than this are left to the sweeps: a timer per host would keep every workflow open."""

QUICK_LOOKS = 10
"""After so many looks in a row that found trouble, only the sweeps look again."""

READ_ONLY_MESSAGE = "/var/lib of the host is on a read-only file system, so that nothing can be done to it: see its kernel log, and mend it"


Rule = Callable[[Situation], Decision | None]


def decide(situation: Situation) -> Decision:
    """The next step of a host."""
    return next(decision for rule in RULES if (decision := rule(situation)) is not None)


def _trouble(situation: Situation) -> Decision | None:
    """The host cannot be asked, or must not be."""
    scene = situation.scene
    if scene.problem is None:
        return None
    awaited = open_operation(situation.operations)
    if awaited is not None and awaited.type == "Reboot" and _goes_with_a_reboot(scene.problem):
        return _absent_after_reboot(scene, awaited)
    if scene.problem.permanent:
        return Decision("Rest", scene.problem.reason, scene.problem.message, stalled=True)
    return Decision(
        action="Wait" if scene.attempt < QUICK_LOOKS else "Rest",
        reason=verdicts.RETRYING,
        message=scene.problem.message,
        progressing=True,
        healing=True,
        recheck=timedelta(seconds=min(5 * 2 ** min(scene.attempt, QUICK_LOOKS), 60)),
    )


def _goes_with_a_reboot(problem: Problem) -> bool:
    """While a host goes down or comes up, pam_nologin(8) refuses logins as if the credentials were wrong."""
    return not problem.permanent or problem.reason == AuthenticationError.default_reason


def _absent_after_reboot(scene: Scene, reboot: OperationStatus) -> Decision:
    limit = scene.policy.progress_deadline_seconds
    if not deadline_passed(reboot, limit, scene.now):
        return Decision(
            "Wait",
            verdicts.REBOOTING,
            "waiting for the host to come back",
            progressing=True,
            healing=True,
            recheck=timedelta(seconds=2),
        )
    message = (
        f"the host was rebooted at {reboot.start_time:%Y-%m-%dT%H:%M:%SZ} and has not come back within {limit} s: "
        "its state is unknown; look at its console. kraut goes on when it answers again"
    )
    return Decision(
        action="Wait" if scene.attempt < QUICK_LOOKS else "Rest",
        reason=verdicts.HOST_DID_NOT_RETURN,
        message=message,
        stalled=True,
        healing=True,
        recheck=timedelta(seconds=60),
    )


def _in_flight(situation: Situation) -> Decision | None:
    """An operation is open: it is finished before anything else is thought of, whatever the spec says by now."""
    operation = open_operation(situation.operations)
    return None if operation is None else _busy_with("Stay", operation.type)


def _reporting(situation: Situation) -> Decision | None:
    """An activity is still busy with an operation whose end was seen already, or with one of a Host that was re-created.

    Nobody could carry out what is decided now, so nothing is: it will be as soon as that activity has reported.
    """
    if not situation.scene.in_flight:
        return None
    known = (operation.type for operation in situation.operations if operation.id == situation.scene.in_flight)
    return _busy_with("Stay", next(known, "UpdatePackages"))


def _busy_with(action: Literal["Start", "Stay"], operation: OperationType) -> Decision:
    start = operation if action == "Start" else None
    if operation == "Reboot":
        return Decision(action, verdicts.REBOOTING, "the host is rebooting", progressing=True, operation=start)
    message = "package updates are being installed"
    return Decision(action, verdicts.UPDATING_PACKAGES, message, progressing=True, operation=start)


def _read_only(situation: Situation) -> Decision | None:
    observation = situation.scene.observation
    if observation is None or not observation.read_only:
        return None
    return Decision(
        action="Wait" if situation.scene.attempt < QUICK_LOOKS else "Rest",
        reason=verdicts.READ_ONLY,
        message=READ_ONLY_MESSAGE,
        stalled=True,
        healing=True,
        recheck=timedelta(seconds=60),
    )


def _paused(situation: Situation) -> Decision | None:
    if not situation.scene.host.spec.paused:
        return None
    return Decision("Rest", verdicts.PAUSED, "spec.paused is true: nothing new is started")


def _claimed(situation: Situation) -> Decision | None:
    status = situation.scene.host.status
    if status is None or status.claimed_by is None:
        return None
    return Decision(
        "Rest", verdicts.CLAIMED, f"Cluster {status.claimed_by.name} owns this host; only its work changes it"
    )


def _nothing_wanted(situation: Situation) -> Decision | None:
    """Nothing is left to do; a host that was just worked on must prove to stay up before its place is given to another."""
    if wanted_operation(situation) is not None:
        return None
    steady = steadiness(situation)
    if steady is not None:
        return steady
    return Decision("Rest")


def _cluster_node(situation: Situation) -> Decision | None:
    observation = situation.scene.observation
    if observation is None or not observation.cluster_node:
        return None
    if situation.scene.host.spec.operating_system.updates == "None":
        return None
    message = (
        f"this host runs {observation.cluster_node}: updating or rebooting it by itself could break its cluster; "
        "set operatingSystem.updates to None, or let a Cluster own it"
    )
    return Decision("Rest", verdicts.HOST_IS_CLUSTER_NODE, message, stalled=True)


def _unsupported(situation: Situation) -> Decision | None:
    scene = situation.scene
    observation = scene.observation
    if observation is None or observation.packages is not None:
        return None
    problem = observation.package_problem or Problem(verdicts.UNSUPPORTED, "no package manager that kraut knows", True)
    if problem.permanent:
        return Decision("Rest", problem.reason, problem.message, stalled=True)
    return Decision(
        action="Wait" if scene.attempt < QUICK_LOOKS else "Rest",
        reason=problem.reason,
        message=problem.message,
        progressing=True,
        healing=True,
        recheck=timedelta(seconds=60),
    )


def _without_policy(situation: Situation) -> Decision | None:
    """Nothing is started without the policy that a Host names: it says how many may be away at once."""
    scene = situation.scene
    reference = scene.host.spec.upgrade_policy_ref
    if reference is None:
        return None
    if scene.policy_problem is not None:
        return Decision("Rest", scene.policy_problem.reason, scene.policy_problem.message, stalled=True)
    if not scene.policy_missing:
        return None
    message = f"there is no UpgradePolicy {reference.name} in this namespace: create it, or take upgradePolicyRef out; nothing is started without it"
    return Decision("Rest", verdicts.UPGRADE_POLICY_NOT_FOUND, message, stalled=True)


def _gave_up(situation: Situation) -> Decision | None:
    last = newest(situation.operations)
    limit = situation.scene.policy.backoff_limit
    if last is None or situation.scene.requested or not situation.failures:
        return None
    if not is_exhausted(last, situation.failures, limit):
        return None
    message = (
        f"{situation.failures} operations in a row failed (backoffLimit {limit}), the last one because {last.message}; "
        f"see `kraut logs host/{situation.scene.host.metadata.name}`, mend it, then annotate the Host with kraut.dev/requested-at to try again"
    )
    return Decision("Rest", verdicts.BACKOFF_LIMIT_EXCEEDED, message, stalled=True)


def _backing_off(situation: Situation) -> Decision | None:
    last = newest(situation.operations)
    generation = situation.scene.host.metadata.generation
    failed = setbacks(situation.operations, generation, situation.failures)
    if last is None or situation.scene.requested or not failed:
        return None
    left = retry_at(last, failed) - situation.scene.now
    if left <= timedelta():
        return None
    message = f"failure {failed}: {last.message}; next try in {round(left.total_seconds())} s"
    return Decision("Wait", verdicts.BACKING_OFF, message, progressing=True, recheck=left)


def _outside_window(situation: Situation) -> Decision | None:
    scene = situation.scene
    try:
        window = window_at(scene.host.spec.maintenance, scene.now)
    except InvalidSpecError as error:
        return Decision("Rest", error.reason, error.message, stalled=True)
    if not isinstance(window, Closed):
        return None
    if window.next_start is None:
        message = "work is due and no maintenance window opens within a year"
        return Decision("Rest", verdicts.WAITING_FOR_WINDOW, message)
    left = window.next_start - scene.now
    message = f"work is due; the next maintenance window opens at {window.next_start:%Y-%m-%dT%H:%M:%SZ}"
    return Decision("Wait" if left <= LONGEST_TIMER else "Rest", verdicts.WAITING_FOR_WINDOW, message, recheck=left)


def _id_is_spent(situation: Situation) -> Decision | None:
    """This assessment has decided before, and its operation has ended: one id stands for one operation, ever (I3)."""
    spent = {operation.id for operation in situation.operations}
    if situation.scene.new_operation_id not in spent:
        return None
    return Decision("Wait", verdicts.DISCOVERING, "looking again", progressing=True, recheck=timedelta(seconds=1))


def _start(situation: Situation) -> Decision | None:
    operation = wanted_operation(situation)
    return None if operation is None else _busy_with("Start", operation)


RULES: tuple[Rule, ...] = (
    _trouble,
    _in_flight,
    _reporting,
    coming_up,
    _paused,
    _claimed,
    _cluster_node,
    _read_only,
    _nothing_wanted,
    _unsupported,
    _without_policy,
    _gave_up,
    _backing_off,
    _outside_window,
    _id_is_spent,
    _start,
)
"""The rule book. Its order is its meaning: first what forbids, then what must wait, then the work."""


def is_disrupted(situation: Situation, decision: Decision) -> bool:
    """Whether the host must keep its place in the budget: it is being worked on, or was left half done, or is not steady yet."""
    if decision.action in ("Start", "Stay") or decision.reason in (verdicts.STABILIZING, verdicts.HOST_DID_NOT_RETURN):
        return True
    if open_operation(situation.operations) is not None:
        return True
    half_done = situation.failures > 0 and _is_half_done(situation)
    between_steps = decision.action == "Wait" and decision.reason == verdicts.RETRYING
    return (half_done and wanted_operation(situation) is not None) or between_steps


def _is_half_done(situation: Situation) -> bool:
    """After a failure that changed nothing, the package database says whether what went before has been mended."""
    last = newest(situation.operations)
    if last is None or did_harm(last):
        return last is not None
    observation = situation.scene.observation
    mended = observation is not None and observation.packages is not None and not observation.packages.broken
    return not mended and did_harm_before(situation.operations)
