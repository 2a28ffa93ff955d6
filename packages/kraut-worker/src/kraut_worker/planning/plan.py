"""The whole thought about a host in one pure function: what became of the work, what is next."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from kraut_core.api.v1alpha1.host import OperationStatus, OperationType
from kraut_worker.messages import Assessment, OperationOrder
from kraut_worker.planning import verdicts
from kraut_worker.planning.budget import Denied
from kraut_worker.planning.clock import corrected
from kraut_worker.planning.decide import decide, is_disrupted
from kraut_worker.planning.decision import Decision
from kraut_worker.planning.retries import count_failures
from kraut_worker.planning.scene import Scene, Situation
from kraut_worker.planning.settle import HISTORY, ended_now, open_operation, settle_operations
from kraut_worker.planning.stability import is_coming_up
from kraut_worker.planning.wanted import wanted_operation

LONGEST_QUEUE = timedelta(minutes=15)
"""Hosts that would look for a place less often than this leave it to the sweeps."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with a host, and all that its status is computed from."""

    scene: Scene
    decision: Decision
    operations: tuple[OperationStatus, ...]
    failures: int
    fencing_token: int
    disrupted: bool
    """The host needs its place in the budget, or keeps it."""
    coming_up: bool = False
    """The host was just rebooted and its boot is not over."""
    ended: tuple[OperationStatus, ...] = ()
    """Operations whose end was observed just now."""


def plan_host(scene: Scene) -> Plan:
    """Decide the next step of a host. A decision to start still needs a place in the budget: ``start`` or ``postpone`` it."""
    scene = replace(scene, host=corrected(scene.host, scene.now))
    status = scene.host.status
    before = list(status.operations) if status else []
    operations = settle_operations(scene)
    ended = ended_now(before, operations)
    failures = count_failures(0 if _fresh(scene) else (status.failures if status else 0), ended)
    situation = _forgiven(Situation(scene, operations, failures))
    decision = decide(situation)
    return Plan(
        scene=scene,
        decision=decision,
        operations=tuple(operations),
        failures=situation.failures,
        fencing_token=_greatest_token(scene),
        disrupted=is_disrupted(situation, decision),
        coming_up=is_coming_up(situation),
        ended=tuple(ended),
    )


def _forgiven(situation: Situation) -> Situation:
    """Somebody mended the host by hand: what failed is not wanted any more, and the next wish is tried afresh."""
    if situation.scene.observation is None or open_operation(situation.operations) or wanted_operation(situation):
        return situation
    return replace(situation, failures=0)


def _greatest_token(scene: Scene) -> int:
    written = scene.host.status.fencing_token if scene.host.status else 0
    return max(written, scene.observation.fencing_token if scene.observation else 0)


def _fresh(scene: Scene) -> bool:
    """A new generation or a person's request starts counting failures anew."""
    status = scene.host.status
    return scene.requested or status is None or _generation_of(status.operations) != scene.host.metadata.generation


def _generation_of(operations: Sequence[OperationStatus]) -> int:
    return operations[0].generation if operations else 0


def start(plan: Plan, operation: OperationType) -> Plan:
    """The plan with the operation written into its history, under a fencing token greater than any before."""
    scene = plan.scene
    observation = scene.observation
    token = plan.fencing_token + 1
    started = OperationStatus(
        id=scene.new_operation_id,
        type=operation,
        result="Running",
        start_time=scene.now,
        boot_id=observation.info.boot_id if observation else "",
        generation=scene.host.metadata.generation,
        workflow_id=scene.workflow_id,
    )
    return replace(plan, operations=(started, *plan.operations)[:HISTORY], fencing_token=token, disrupted=True)


def outdate(plan: Plan, held: int | None) -> Plan:
    """The plan of a host that needs no place, when it holds one under the fencing token ``held``.

    A greater token than the plan's is that of a start which was not written down: the Host was changed, or the worker died,
    between the two writes. Once the status bears that token nobody can write that start down any more, and the place is free.
    """
    return plan if held is None or held <= plan.fencing_token else replace(plan, fencing_token=held)


def postpone(plan: Plan, denied: Denied) -> Plan:
    """The plan when no place in the budget is free. Of many who wait only few look again by themselves: who leaves wakes them."""
    recheck = max(timedelta(seconds=60), timedelta(seconds=denied.sharing))
    decision = Decision(
        action="Wait" if recheck <= LONGEST_QUEUE else "Rest",
        reason=verdicts.WAITING_FOR_BUDGET,
        message=denied.message,
        progressing=True,
        recheck=recheck,
    )
    return replace(plan, decision=decision, disrupted=False)


def answer(plan: Plan) -> Assessment:
    """The plan as the workflow reads it."""
    decision = plan.decision
    if decision.action in ("Start", "Stay"):
        current = open_operation(plan.operations)
        if current is not None:
            return Assessment(outcome="Operate", operation=_order(plan, current), reason=decision.reason)
    return Assessment(
        outcome="Wait" if decision.action == "Wait" else "Rest",
        recheck_seconds=decision.recheck.total_seconds(),
        healing=decision.healing,
        reason=decision.reason,
    )


def _order(plan: Plan, operation: OperationStatus) -> OperationOrder:
    scene = plan.scene
    return OperationOrder(
        id=operation.id,
        type=operation.type,
        fencing_token=plan.fencing_token,
        boot_id=operation.boot_id,
        host_uid=scene.host.metadata.uid,
        updates=scene.host.spec.operating_system.updates,
        deadline_seconds=scene.policy.progress_deadline_seconds if operation.type == "Reboot" else 120,
    )
