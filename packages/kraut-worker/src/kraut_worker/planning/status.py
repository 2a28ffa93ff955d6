"""The status of a Host, computed in one place from what was observed (pure)."""

from collections.abc import Sequence

from kraut_core.api.conditions import READY, RECONCILING, STALLED, Verdict, find, set_conditions
from kraut_core.api.meta import REQUESTED_AT, ObservedReference
from kraut_core.api.v1alpha1.host import UP_TO_DATE, HostInfo, HostStatus
from kraut_worker.planning import verdicts
from kraut_worker.planning.decide import READ_ONLY_MESSAGE
from kraut_worker.planning.plan import Plan
from kraut_worker.planning.scene import Observation, Problem, Scene
from kraut_worker.planning.settle import open_operation


def host_status(plan: Plan, references: Sequence[ObservedReference]) -> HostStatus:
    """The status that says what was seen and what is being done about it.

    What could not be observed this time keeps its last value: Ready and UpToDate say that it is old.
    """
    scene = plan.scene
    before = scene.host.status or HostStatus()
    return before.model_copy(
        update={
            **_observed(before, scene),
            "observed_generation": scene.host.metadata.generation,
            "last_handled_request": scene.host.metadata.annotations.get(REQUESTED_AT, "")[:256],
            "last_request_time": scene.now if scene.requested else before.last_request_time,
            "observed_references": list(references),
            "operations": list(plan.operations),
            "failures": plan.failures,
            "fencing_token": plan.fencing_token,
            "workflow_id": scene.workflow_id,
            "conditions": set_conditions(
                before.conditions, _verdicts(plan), generation=scene.host.metadata.generation, now=scene.now
            ),
        }
    )


def discovering_status(scene: Scene, references: Sequence[ObservedReference]) -> HostStatus:
    """The first answer to a new generation: it was seen and is being looked into. What is known stays, as known of the older one."""
    before = scene.host.status or HostStatus()
    said = [Verdict(RECONCILING, "True", verdicts.DISCOVERING, "the host is being asked what it is")]
    if find(before.conditions, READY) is None:
        said.append(Verdict(READY, "Unknown", verdicts.NOT_OBSERVED, "the host was not reached yet"))
    generation = scene.host.metadata.generation
    return before.model_copy(
        update={
            "observed_generation": generation,
            "observed_references": list(references),
            "workflow_id": scene.workflow_id,
            "conditions": set_conditions(
                before.conditions, said, generation=generation, now=scene.now, keep=(READY, UP_TO_DATE)
            ),
        }
    )


def _observed(before: HostStatus, scene: Scene) -> dict[str, object]:
    observation = scene.observation
    if observation is None:
        return {}
    spec = scene.host.spec
    first_use = spec.host_key_policy == "TrustOnFirstUse" and not spec.host_keys
    return {
        "host_info": _info(before.host_info, observation.info),
        "capacity": observation.capacity or before.capacity,
        "packages": observation.packages or before.packages,
        "reboot_required": observation.reboot_required,
        "reboot_required_by": list(observation.reboot_required_by[:64]),
        "host_keys": (before.host_keys or [observation.host_key]) if first_use and observation.host_key else [],
    }


def _info(before: HostInfo | None, now: HostInfo) -> HostInfo:
    if before is None or now.os_id:
        return now
    system = ("os_image", "os_id", "os_version", "os_codename")
    return now.model_copy(update={name: getattr(before, name) for name in system})


def _verdicts(plan: Plan) -> list[Verdict]:
    found = [_ready(plan), _up_to_date(plan)]
    decision = plan.decision
    if decision.stalled:
        found.append(Verdict(STALLED, "True", decision.reason, decision.message))
    elif decision.progressing:
        found.append(Verdict(RECONCILING, "True", decision.reason, decision.message))
    return found


def _ready(plan: Plan) -> Verdict:
    scene, decision = plan.scene, plan.decision
    if scene.observation is not None and scene.observation.read_only:
        return Verdict(READY, "False", verdicts.READ_ONLY, READ_ONLY_MESSAGE)
    if scene.observation is not None and plan.coming_up:
        # Of the same status and reason as while it is away: it becomes Ready when all of it is there.
        return Verdict(READY, "Unknown", verdicts.REBOOTING, decision.message)
    if scene.observation is not None:
        return Verdict(
            READY, "True", verdicts.REACHABLE, f"{scene.observation.info.os_image or 'the host'} answers as root"
        )
    if decision.reason in (verdicts.REBOOTING, verdicts.HOST_DID_NOT_RETURN):
        return Verdict(READY, "Unknown", decision.reason, decision.message)
    problem = scene.problem
    if problem is None:
        return Verdict(READY, "Unknown", verdicts.NOT_OBSERVED, "the host was not reached yet")
    return Verdict(READY, "False" if problem.permanent else "Unknown", problem.reason, problem.message)


def _up_to_date(plan: Plan) -> Verdict:
    observation = plan.scene.observation
    if observation is None:
        return Verdict(UP_TO_DATE, "Unknown", verdicts.NOT_OBSERVED, "the host cannot be asked")
    problem = observation.package_problem
    if observation.packages is None:
        if problem is None:
            return Verdict(UP_TO_DATE, "Unknown", verdicts.NOT_OBSERVED, "the package manager was not asked")
        return Verdict(UP_TO_DATE, "Unknown", problem.reason, problem.message)
    left = _left_to_do(plan.scene, observation)
    if left is not None:
        return _explained(plan, left)
    return _unsure(plan, problem) or _nothing_left(plan.scene)


def _unsure(plan: Plan, problem: Problem | None) -> Verdict | None:
    """Why nothing seems left to do, and may be."""
    if problem is not None:
        return Verdict(UP_TO_DATE, "Unknown", problem.reason, problem.message)
    if open_operation(plan.operations) is not None:
        message = "an operation is open: what it leaves is not known before its end"
        return Verdict(UP_TO_DATE, "Unknown", plan.decision.reason or verdicts.NOT_OBSERVED, message)
    return None


def _nothing_left(scene: Scene) -> Verdict:
    kind = "security update" if scene.host.spec.operating_system.updates == "Security" else "update"
    return Verdict(UP_TO_DATE, "True", verdicts.NO_UPDATES_PENDING, f"no {kind} is pending and no reboot is due")


def _left_to_do(scene: Scene, observation: Observation) -> Verdict | None:
    packages = observation.packages
    if packages is None:
        return None
    if packages.broken:
        message = "dpkg was interrupted or left packages half installed"
        return Verdict(UP_TO_DATE, "False", verdicts.PACKAGES_BROKEN, message)
    counted = packages.security if scene.host.spec.operating_system.updates == "Security" else packages.pending
    if counted:
        message = f"{packages.pending} updates are pending, {packages.security} of them security updates"
        return Verdict(UP_TO_DATE, "False", verdicts.UPDATES_PENDING, message)
    if observation.reboot_required:
        by = ", ".join(observation.reboot_required_by[:5])
        return Verdict(UP_TO_DATE, "False", verdicts.REBOOT_REQUIRED, "a reboot is due" + (f" for {by}" if by else ""))
    return None


def _explained(plan: Plan, left: Verdict) -> Verdict:
    """Why what is left is not being done, when there is a reason."""
    decision = plan.decision
    if decision.reason in (verdicts.WAITING_FOR_WINDOW, verdicts.PAUSED, verdicts.CLAIMED):
        return Verdict(UP_TO_DATE, "False", decision.reason, f"{left.message}; {decision.message}")
    last = next((operation for operation in plan.operations if operation.result == "Succeeded"), None)
    if decision.reason or last is None or not last.message or plan.scene.host.spec.operating_system.updates == "None":
        return left
    message = f"{left.message}; {last.type} succeeded and left this: annotate the Host with {REQUESTED_AT} to try again"
    return Verdict(UP_TO_DATE, "False", left.reason, message)
