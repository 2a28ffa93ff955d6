"""Assess a Host: read it, gather its facts, let the planner decide, write down what was decided."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from kraut_core.api.meta import REQUESTED_AT, ObservedReference
from kraut_core.api.v1alpha1.host import Host, HostStatus
from kraut_core.errors import ConflictError, InvalidSpecError, KrautError, NotFoundError
from kraut_core.kube.client import KubeClient
from kraut_core.kube.events import Event, create_event
from kraut_worker.activities.cleanup import FINALIZER, HostCleaner
from kraut_worker.activities.places import give_back, held_token, keep_place, take_place
from kraut_worker.activities.targets import References, read_references
from kraut_worker.facts.gather import gather_facts
from kraut_worker.messages import AssessInput, Assessment
from kraut_worker.planning.budget import Denied
from kraut_worker.planning.events import Note, notes_between
from kraut_worker.planning.observe import observe
from kraut_worker.planning.plan import Plan, answer, outdate, plan_host, postpone, start
from kraut_worker.planning.scene import Observation, Problem, Scene
from kraut_worker.planning.sharing import Sharer
from kraut_worker.planning.status import discovering_status, host_status
from kraut_worker.ports import HostConnector

log = structlog.get_logger(__name__)

Wake = Callable[[Host], Awaitable[None]]
"""Tells the workflow of a host that a place in its budget came free."""

CONTROLLER = "kraut.dev/worker"
CONFLICTS = 5
"""How often an assessment starts over because somebody wrote the Host meanwhile, before Temporal spaces the tries."""


class HostAssessor:
    """Everything that an assessment needs; one per process."""

    def __init__(
        self,
        kube: KubeClient,
        connector: HostConnector,
        wake: Wake,
        *,
        instance: str,
        package_list_max_age: timedelta,
    ) -> None:
        self._kube = kube
        self._connector = connector
        self._wake = wake
        self._instance = instance
        self._package_list_max_age = package_list_max_age
        self._cleaner = HostCleaner(kube, connector, instance=instance)

    async def assess(self, question: AssessInput, workflow_id: str) -> Assessment:
        """The next step of the host. Raises ConflictError, ApiServerError: assess again."""
        for _ in range(CONFLICTS):
            try:
                return await self._assess(question, workflow_id)
            except ConflictError:
                continue
            except NotFoundError:
                return Assessment(outcome="Gone")
        raise ConflictError(f"Host {question.host.name} was written by others {CONFLICTS} times during its assessment")

    async def _assess(self, question: AssessInput, workflow_id: str) -> Assessment:
        try:
            host = await self._kube.get(Host, question.host.namespace, question.host.name)
        except InvalidSpecError as error:
            return await self._unreadable(question, error)
        if host.spec.site != question.site:
            return Assessment(outcome="OtherSite", site=host.spec.site)
        if host.metadata.deletion_timestamp is not None:
            return await self._clean_up(host, question)
        references = await read_references(self._kube, host)
        scene = _empty_scene(host, self._kube.now(), references, question, workflow_id)
        if host.status is None or host.status.observed_generation != host.metadata.generation:
            host = await self._write(host, discovering_status(scene, references.observed))
        host, observation, problem = await self._probe(host, references, requested=scene.requested)
        if observation is not None and FINALIZER not in host.metadata.finalizers:
            host = await self._add_finalizer(host)
        scene = replace(scene, host=host, now=self._kube.now(), observation=observation, problem=problem)
        return await self._decide(scene, references.observed)

    async def _decide(self, scene: Scene, observed: Sequence[ObservedReference]) -> Assessment:
        plan = await self._with_place(plan_host(scene))
        held = None if plan.disrupted else await held_token(self._kube, scene.host)
        plan = outdate(plan, held)
        before = scene.host.status
        status = host_status(plan, observed)
        if status != before:
            await self._write(scene.host, status)
        for note in notes_between(before, status):
            await self._tell(scene.host, note)
        if held is not None:
            for waiting in await give_back(self._kube, scene.host, plan.fencing_token):
                await self._wake(waiting)
        assessment = answer(plan)
        log.info(
            "host assessed",
            host=scene.host.metadata.name,
            namespace=scene.host.metadata.namespace,
            generation=scene.host.metadata.generation,
            outcome=assessment.outcome,
            reason=plan.decision.reason,
            operation=assessment.operation.id if assessment.operation else None,
        )
        return assessment

    async def _with_place(self, plan: Plan) -> Plan:
        """A decision to start becomes a started operation, or a wait for a place in the budget."""
        decision = plan.decision
        if decision.action == "Stay":
            await keep_place(self._kube, plan.scene.host, plan.scene.now, plan.fencing_token)
        if decision.action != "Start" or decision.operation is None:
            return plan
        denied = await take_place(self._kube, plan.scene.host, plan.scene.now, plan.fencing_token + 1)
        if isinstance(denied, Denied):
            return postpone(plan, denied)
        return start(plan, decision.operation)

    async def _probe(
        self, host: Host, references: References, *, requested: bool
    ) -> tuple[Host, Observation | None, Problem | None]:
        target = references.target
        if target is None:
            return host, None, references.problem
        try:
            key = await self._connector.learn_host_key(target) if target.trust_on_first_use else ""
        except KrautError as error:
            return host, None, _not_observed(host, error)
        if key:
            # Recorded before anybody logs in: a login that fails must not leave the host open to the next key.
            host = await self._write(host, (host.status or HostStatus()).model_copy(update={"host_keys": [key]}))
            target = replace(target, host_keys=(key,), trust_on_first_use=False)
        max_age = timedelta() if requested else self._package_list_max_age
        try:
            async with self._connector.connect(target) as shell:
                facts = await gather_facts(shell, max_list_age=max_age)
                return host, observe(facts, shell.host_key), None
        except KrautError as error:
            return host, None, _not_observed(host, error)

    async def _write(self, host: Host, status: HostStatus) -> Host:
        return await self._kube.replace_status(Host, host.model_copy(update={"status": status}))

    async def _add_finalizer(self, host: Host) -> Host:
        metadata = host.metadata
        written = await self._kube.set_finalizers(
            Host, metadata.namespace, metadata.name, metadata.resource_version, [*metadata.finalizers, FINALIZER]
        )
        return Host.model_validate(written.model_dump())

    async def _tell(self, host: Host, note: Note) -> None:
        event = Event(regarding=host, reason=note.reason, action=note.action, note=note.message, type=note.type)
        try:
            await create_event(self._kube, event, controller=CONTROLLER, instance=self._instance)
        except KrautError as error:
            # An Event is a courtesy: the status says the same, and work must not stop because a namespace is full of them.
            log.warning("event not recorded", host=host.metadata.name, reason=note.reason, error=str(error))

    async def _clean_up(self, host: Host, question: AssessInput) -> Assessment:
        assessment = await self._cleaner.clean_up(host, attempt=question.attempt, in_flight=question.in_flight)
        if assessment.outcome == "Gone":
            await self._leave_budget(host)
        return assessment

    async def _unreadable(self, question: AssessInput, error: InvalidSpecError) -> Assessment:
        """A Host of another version of kraut is left alone; one that is being deleted may go."""
        name = question.host
        host = await self._cleaner.let_unreadable_go(name.namespace, name.name)
        if host is None:
            log.warning("host refused", host=name.name, namespace=name.namespace, error=str(error))
            return Assessment(outcome="Rest", reason=error.reason)
        await self._leave_budget(host)
        return Assessment(outcome="Gone")

    async def _leave_budget(self, host: Sharer) -> None:
        """Whoever read the Host before its deletion cannot write it any more: whatever token its place bears, nobody works."""
        for waiting in await give_back(self._kube, host, await held_token(self._kube, host) or 0):
            await self._wake(waiting)


def _not_observed(host: Host, error: KrautError) -> Problem:
    log.info("host not observed", host=host.metadata.name, namespace=host.metadata.namespace, reason=error.reason)
    return Problem.of(error)


def _empty_scene(host: Host, now: datetime, references: References, question: AssessInput, workflow_id: str) -> Scene:
    handled = host.status.last_handled_request if host.status is not None else ""
    return Scene(
        host=host,
        now=now,
        policy=references.policy_spec,
        policy_missing=references.policy_missing,
        policy_problem=references.policy_problem,
        observation=None,
        problem=None,
        new_operation_id=question.operation_id,
        in_flight=question.in_flight,
        attempt=question.attempt,
        requested=host.metadata.annotations.get(REQUESTED_AT, "")[:256] != handled,
        workflow_id=workflow_id,
        refused_id=question.refused_id,
        refusal=question.refusal,
    )
