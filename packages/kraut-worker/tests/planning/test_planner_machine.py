"""The planner against a host that fails in every way: crashes, lost connections, late orders, re-created objects, new specs.

The host is a pure model of ``kraut_worker.operations``: one operation at a time, each id at most once, a fencing token, the
boot id that was decided in. The workflow around the planner is as ``kraut_worker.workflows.host``: one operation in flight,
orders that arrive late or never, answers that get lost after the status was written.
"""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kraut_core.api.conformance import assert_conformance
from kraut_core.api.meta import REQUESTED_AT
from kraut_core.api.v1alpha1.host import Host, HostStatus, OperationType
from kraut_core.api.v1alpha1.upgradepolicy import UpgradePolicySpec
from kraut_worker.facts.model import OperationOnHost
from kraut_worker.messages import Assessment, OperationOrder
from kraut_worker.operations.exit_codes import ExitCode
from kraut_worker.operations.state import TERMINAL, Observation, OperationState, decide_state
from kraut_worker.planning import verdicts
from kraut_worker.planning.budget import Denied
from kraut_worker.planning.clock import SKEW
from kraut_worker.planning.plan import Plan, answer, outdate, plan_host, postpone, start
from kraut_worker.planning.retries import LONGEST_PAUSE
from kraut_worker.planning.scene import Problem
from kraut_worker.planning.settle import OPEN
from kraut_worker.planning.status import discovering_status, host_status
from kraut_worker.testing.scenes import NOW, make_host, make_observation, make_scene

UNREACHABLE = Problem("Unreachable", "no answer", permanent=False)
REFUSED = Problem("AuthenticationFailed", "the host refused the key", permanent=True)
FAILURES = [
    ExitCode.LOCK_TIMEOUT,
    ExitCode.REPOSITORY_UNREACHABLE,
    ExitCode.PACKAGE_FAILED,
    ExitCode.NO_SPACE,
    ExitCode.NO_ROOM,
    ExitCode.READ_ONLY,
    ExitCode.UNRESOLVABLE,
    ExitCode.HOST_LOCKED,
    ExitCode.PACKAGES_IN_TRANSITION,
    143,
]


@dataclass
class Folder:
    """One folder of /var/lib/kraut/ops."""

    type: OperationType
    token: int
    decided_in: str
    claim: str
    result: int | None = None
    unit: bool = True


@dataclass
class Machine:
    """A host. ``effects`` counts how often the script of an id was run."""

    boots: int = 1
    token: int = 0
    pending: int = 0
    kept_back: int = 0
    asks_for_reboot: bool = False
    asks_for_ever: bool = False
    updates_ask: bool = False
    in_dpkg: bool = False
    going_down: bool = False
    starting: bool = False
    folders: dict[str, Folder] = field(default_factory=dict)
    effects: dict[str, int] = field(default_factory=dict)

    @property
    def boot(self) -> str:
        return f"boot-{self.boots}"

    @property
    def running(self) -> list[str]:
        return [id_ for id_, folder in self.folders.items() if folder.unit]

    def start(self, order: OperationOrder) -> bool:
        """``operations.starting``: whether this id may be polled now."""
        if order.id in self.folders:
            return True
        if order.boot_id != self.boot or order.fencing_token < self.token or self.running:
            return False
        self.token = order.fencing_token
        self.folders[order.id] = Folder(order.type, order.fencing_token, order.boot_id, claim=self.boot)
        self.effects[order.id] = self.effects.get(order.id, 0) + 1
        return True

    def end(self, id_: str, code: int) -> None:
        folder = self.folders[id_]
        folder.unit, folder.result = False, code
        if code != 0:
            return
        if folder.type == "Reboot":
            self.going_down = True
            return
        self.in_dpkg = False
        if self.pending > self.kept_back:
            self.pending, self.asks_for_reboot = self.kept_back, self.asks_for_reboot or self.updates_ask

    def kill(self, id_: str) -> None:
        self.folders[id_].unit = False

    def come_up(self) -> None:
        """The next boot, however it came about."""
        for folder in self.folders.values():
            folder.unit = False
        self.boots, self.going_down, self.asks_for_reboot = self.boots + 1, False, self.asks_for_ever
        self.starting = True

    def seen(self) -> list[OperationOnHost]:
        return [
            OperationOnHost(id_, folder.type, folder.token, folder.decided_in, self._state(folder))
            for id_, folder in self.folders.items()
        ]

    def _state(self, folder: Folder) -> OperationState:
        told = Observation(True, folder.unit, folder.result, folder.claim, self.boot)
        return OperationState(decide_state(told), folder.result, folder.claim, self.boot)


class Planner(RuleBasedStateMachine):
    """A Host, its machine and its workflow."""

    @initialize(
        pending=st.integers(0, 3),
        kept_back=st.integers(0, 2),
        updates_ask=st.booleans(),
        asks_for_ever=st.booleans(),
        min_ready_seconds=st.sampled_from([0, 60]),
        backoff_limit=st.integers(0, 3),
    )
    def begin(self, pending, kept_back, updates_ask, asks_for_ever, min_ready_seconds, backoff_limit):
        self.machine = Machine(
            pending=pending + kept_back, kept_back=kept_back, updates_ask=updates_ask, asks_for_ever=asks_for_ever
        )
        self.policy = UpgradePolicySpec(min_ready_seconds=min_ready_seconds, backoff_limit=backoff_limit)
        self.now = NOW
        self.host: Host = make_host(uid="uid-1")
        self.attempt = 0
        self.minted = 0
        self.retried = ""
        self.in_flight: OperationOrder | None = None
        self.on_their_way: list[OperationOrder] = []
        self.decided: dict[str, OperationType] = {}
        self.ordered: dict[str, tuple[str, OperationType]] = {}
        self.budget_free = True
        self.place: int | None = None
        self.plan: Plan | None = None

    # What the workflow and its activities do

    def look(
        self, problem: Problem | None = None, *, answer_is_lost: bool = False, dies_before_status: bool = False
    ) -> Assessment:
        operation_id = self.retried or self._mint()
        host = self._answer_generation(operation_id)
        seen = problem or make_observation(
            pending=self.machine.pending,
            broken=self.machine.in_dpkg,
            starting=self.machine.starting,
            reboot_required_by=["kernel"] if self.machine.asks_for_reboot else None,
            boot=self.machine.boot,
            operations=self.machine.seen(),
            token=self.machine.token,
        )
        scene = make_scene(
            host,
            seen,
            now=self.now,
            policy=self.policy,
            new_operation_id=operation_id,
            in_flight=self.in_flight.id if self.in_flight else "",
            attempt=self.attempt,
            requested=self._requested(),
        )
        plan = self._with_place(plan_host(scene))
        if dies_before_status:
            self.retried, self.plan = operation_id, None
            return Assessment(outcome="Rest")
        self.plan = outdate(plan, None if plan.disrupted else self.place)
        self._write(host_status(self.plan, []), observed=problem is None)
        if not self.plan.disrupted and self.place is not None and self.place <= self.plan.fencing_token:
            self.place = None
        if answer_is_lost:
            self.retried = operation_id
            return Assessment(outcome="Rest")
        self.retried = ""
        return self._hand_out(answer(self.plan))

    def _mint(self) -> str:
        self.minted += 1
        return f"id-{self.minted}"

    def _requested(self) -> bool:
        handled = self.host.status.last_handled_request if self.host.status else ""
        return self.host.metadata.annotations.get(REQUESTED_AT, "") != handled

    def _answer_generation(self, operation_id: str) -> Host:
        if self.host.status is None or self.host.status.observed_generation != self.host.metadata.generation:
            empty = make_scene(self.host, UNREACHABLE, now=self.now, new_operation_id=operation_id)
            self._write(discovering_status(empty, []), observed=False)
        return self.host

    def _with_place(self, plan: Plan) -> Plan:
        if plan.decision.action != "Start" or plan.decision.operation is None:
            return plan
        assert self.in_flight is None
        assert not self.host.spec.paused
        assert self.host.spec.operating_system.updates != "None"
        if not self.budget_free and self.place is None:
            return postpone(plan, Denied("waiting for web-2", sharing=2))
        started = start(plan, plan.decision.operation)
        assert started.fencing_token > self.machine.token
        assert self.place is None or started.fencing_token >= self.place, "a start holds the place under its own token"
        self.place = started.fencing_token
        return started

    def _write(self, status: HostStatus, *, observed: bool) -> None:
        before = self.host
        self.host = before.model_copy(update={"status": HostStatus.model_validate_json(status.model_dump_json())})
        assert_conformance(self.host, before if self._clock_went_on(before) else None)
        self._check_operations(before.status or HostStatus(), self.host.status or HostStatus(), observed=observed)

    def _clock_went_on(self, host: Host) -> bool:
        """A transition under a clock that was set back bears a time before the last one's: C10 asks what cannot be."""
        conditions = host.status.conditions if host.status else []
        return all(condition.last_transition_time <= self.now for condition in conditions)

    def _check_operations(self, before: HostStatus, after: HostStatus, *, observed: bool) -> None:
        ids = [operation.id for operation in after.operations]
        assert len(set(ids)) == len(ids), "an id stands for one operation"
        assert sum(operation.result in OPEN for operation in after.operations) <= 1, "one at a time (I4)"
        assert after.fencing_token >= before.fencing_token, "the fencing token grows"
        known = {operation.id: operation for operation in before.operations}
        for operation in after.operations:
            self.decided[operation.id] = operation.type
            was = known.get(operation.id)
            if not observed and was is not None:
                assert operation.result in {was.result, "Unknown"}, "unknown is never an end (I12)"

    def _hand_out(self, given: Assessment) -> Assessment:
        self.attempt = self.attempt + 1 if given.healing else 0
        if (order := given.operation) is not None:
            told = self.ordered.setdefault(order.id, (order.boot_id, order.type))
            assert told == (order.boot_id, order.type), "an id keeps its meaning (I3)"
        if given.operation is not None and self.in_flight is None:
            self.in_flight = given.operation
            self.on_their_way.append(given.operation)
        return given

    @rule(lost=st.booleans(), dies=st.booleans())
    def assess(self, lost, dies):
        self.look(answer_is_lost=lost, dies_before_status=dies)

    @rule(problem=st.sampled_from([UNREACHABLE, REFUSED]), lost=st.booleans())
    def assess_out_of_sight(self, problem, lost):
        self.look(problem, answer_is_lost=lost)

    @precondition(lambda self: self.on_their_way)
    @rule(data=st.data())
    def an_order_arrives(self, data):
        """In any order, as late as it likes, more than once: workers are killed, paused and replaced."""
        self.machine.start(data.draw(st.sampled_from(self.on_their_way)))

    @precondition(lambda self: self.in_flight)
    @rule()
    def the_activity_reports(self):
        """It saw the end, was refused, or lost sight of the host; the next assessment finds out which."""
        self.in_flight = None

    @rule()
    def the_workflow_is_terminated_and_started_again(self):
        self.in_flight, self.retried, self.attempt = None, "", 0

    # What happens on the host

    @precondition(lambda self: self.machine.running)
    @rule(code=st.one_of(st.just(0), st.sampled_from(FAILURES)))
    def the_operation_ends(self, code):
        self.machine.end(self.machine.running[0], int(code))

    @precondition(lambda self: self.machine.running)
    @rule()
    def the_operation_is_killed(self):
        self.machine.kill(self.machine.running[0])

    @rule()
    def the_host_boots(self):
        self.machine.come_up()

    @rule()
    def its_boot_is_over(self):
        self.machine.starting = False

    @rule(pending=st.integers(1, 3))
    def updates_come(self, pending):
        self.machine.pending += pending

    @rule()
    def somebody_installs_by_hand(self):
        self.machine.pending = self.machine.kept_back = 0

    @rule(runs=st.booleans())
    def dpkg_runs_or_is_broken(self, runs):
        """Its own timers and people take the lock that kraut gave back; what is seen is one and the same."""
        self.machine.in_dpkg = runs

    # What people do

    @rule(
        updates=st.sampled_from(["None", "Security", "All"]), reboot=st.sampled_from(["IfRequired", "Always", "Never"])
    )
    def the_spec_changes(self, updates, reboot):
        self._rewrite(operating_system={"updates": updates, "reboot_policy": reboot})

    @rule(paused=st.booleans())
    def pause(self, paused):
        self._rewrite(paused=paused)

    def _rewrite(self, **fields):
        spec = type(self.host.spec).model_validate({**self.host.spec.model_dump(), **fields})
        metadata = self.host.metadata.model_copy(update={"generation": self.host.metadata.generation + 1})
        self.host = self.host.model_copy(update={"spec": spec, "metadata": metadata})

    @rule()
    def a_person_asks(self):
        annotations = {REQUESTED_AT: f"{self.now.isoformat()} {self.minted}"}
        metadata = self.host.metadata.model_copy(update={"annotations": annotations})
        self.host = self.host.model_copy(update={"metadata": metadata})

    @rule()
    def the_object_is_created_again(self):
        metadata = self.host.metadata.model_copy(update={"uid": f"uid-{self._mint()}", "generation": 1})
        self.host = self.host.model_copy(update={"metadata": metadata, "status": None})
        self.place = self.plan = None

    @rule(free=st.booleans())
    def the_budget_changes(self, free):
        self.budget_free = free

    @rule(minutes=st.sampled_from([0.05, 1, 11, 20, 24 * 60]))
    def time_goes_by(self, minutes):
        self.now += timedelta(minutes=minutes)

    @rule(hours=st.sampled_from([1, 5, 24 * 30]))
    def the_clock_is_set_back(self, hours):
        self.now -= timedelta(hours=hours)

    # What must hold

    @invariant()
    def each_id_has_at_most_one_effect(self):
        """I3, with the host's help: what the host refuses, the planner must not need."""
        assert all(count == 1 for count in getattr(self, "machine", Machine()).effects.values())

    @invariant()
    def who_is_seen_working_keeps_its_place(self):
        """I5: as long as the last look found work on the host, its place in the budget is held."""
        plan = getattr(self, "plan", None)
        if plan is None or plan.scene.observation is None:
            return
        states = [operation.state.state for operation in plan.scene.observation.operations.values()]
        assert plan.disrupted or "Running" not in states

    @invariant()
    def who_comes_up_keeps_its_place(self):
        """U10: a login is not the end of a reboot; until the boot is over, or too long, the next host must not follow."""
        plan = getattr(self, "plan", None)
        if plan is None or plan.scene.observation is None or not plan.scene.observation.starting:
            return
        last = next((operation for operation in plan.operations if operation.completion_time is not None), None)
        if last is not None and last.type == "Reboot" and last.result == "Succeeded":
            late = plan.scene.now - last.start_time > timedelta(seconds=plan.scene.policy.progress_deadline_seconds)
            assert plan.disrupted or late

    @invariant()
    def who_needs_no_place_holds_none(self):
        """I6: a place that nobody can use any more would keep every other host of the policy waiting."""
        plan = getattr(self, "plan", None)
        if plan is not None:
            assert plan.disrupted or self.place is None

    @invariant()
    def no_reboot_is_decided_in_the_middle_of_dpkg(self):
        """Half a kernel may not boot: whoever sees a broken package database, or none, starts no reboot."""
        plan = getattr(self, "plan", None)
        if plan is not None and plan.scene.observation is not None and plan.decision.action == "Start":
            assert plan.decision.operation != "Reboot" or not plan.scene.observation.packages.broken

    @invariant()
    def no_pause_is_longer_than_somebody_asked_for(self):
        """Whatever the clock did: a host that waits for hours holds up all hosts that share its policy."""
        plan = getattr(self, "plan", None)
        if plan is not None and plan.decision.reason == verdicts.STABILIZING:
            assert plan.decision.recheck <= timedelta(seconds=plan.scene.policy.min_ready_seconds) + SKEW
        if plan is not None and plan.decision.reason == verdicts.BACKING_OFF:
            assert plan.decision.recheck <= LONGEST_PAUSE + SKEW

    # What it all comes to

    def teardown(self):
        if not hasattr(self, "machine"):
            return
        self.heal()
        before = len(self.decided)
        self.live(days=2)
        assert len(self.decided) - before <= 12, "it works in rounds"
        self.is_converged()
        self.a_month_later()

    def heal(self):
        """No more faults: late orders are lost, the budget is free, a person asks for another try."""
        self.on_their_way.clear()
        self.in_flight, self.retried, self.budget_free = None, "", True
        self.machine.in_dpkg = False
        for id_ in self.machine.running:
            self.machine.end(id_, 0)
        if self.machine.going_down:
            self.machine.come_up()
        self._rewrite(paused=False, operating_system={"updates": "All", "reboot_policy": "IfRequired"})
        self.a_person_asks()

    def live(self, *, days):
        """A host in good order: sweeps every three hours, timers and operations in between."""
        until = self.now + timedelta(days=days)
        while self.now < until:
            given = self.look()
            if given.outcome == "Operate":
                self.carry_out()
                self.now += timedelta(minutes=1)
                self.its_boot_is_over()
            elif given.outcome == "Wait":
                self.now += max(timedelta(seconds=given.recheck_seconds), timedelta(seconds=1))
            else:
                self.now += timedelta(hours=3)

    def carry_out(self):
        order = self.in_flight
        if self.machine.start(order) and order.id in self.machine.running:
            self.machine.end(order.id, 0)
            if self.machine.going_down:
                self.machine.come_up()
        self.in_flight = None
        self.on_their_way.clear()

    def is_converged(self):
        assert self.machine.pending == self.machine.kept_back
        assert not self.machine.asks_for_reboot or self.machine.asks_for_ever
        assert self.machine.running == []
        status = self.host.status
        assert status.observed_generation == self.host.metadata.generation
        assert status.failures == 0
        assert {condition.type for condition in status.conditions} == {"Ready", "UpToDate"}
        assert all(folder.result is not None or self.ended(folder) for folder in self.machine.folders.values())

    def ended(self, folder):
        return self.machine._state(folder).state in TERMINAL

    def a_month_later(self):
        """The same generation, new updates: they are really installed."""
        self.now += timedelta(days=30)
        before = set(self.decided)
        self.machine.pending = self.machine.kept_back + 2
        self.live(days=1)
        installed = [id_ for id_ in self.decided if id_ not in before and self.decided[id_] == "UpdatePackages"]
        assert installed
        assert len(self.decided) - len(before) <= 8, "it works in rounds"
        self.is_converged()


TestPlanner = Planner.TestCase
TestPlanner.settings = settings(
    max_examples=80, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.sweep
@pytest.mark.timeout(7200)
class TestPlannerForLong(Planner.TestCase):
    """The same over many more lives."""

    settings = settings(
        max_examples=1000, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
    )
