"""HostWorkflow: assess, do what was decided, assess again."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, TimeoutType, is_cancelled_exception
from temporalio.exceptions import TimeoutError as ActivityTimeoutError

with workflow.unsafe.imports_passed_through():
    from kraut_core.contracts.reconcile import (
        DEFAULT_SITE,
        RECONCILE_SIGNAL,
        ReconcileInput,
        ReconcileRequest,
        kubernetes_queue,
        operations_queue,
        ssh_queue,
    )
    from kraut_worker.messages import (
        AssessInput,
        Assessment,
        HostName,
        HostState,
        OperationOrder,
        OperationReport,
        RunOperationInput,
    )
    from kraut_worker.workflows import options
    from kraut_worker.workflows.activities import HostActivities, KubernetesActivities


@workflow.defn(name="HostWorkflow")
class HostWorkflow:
    """The one writer of a Host. No step knows how it got here: every pass starts from what the host and the API say now."""

    @workflow.init
    def __init__(self, start: ReconcileInput) -> None:
        self._host = HostName(home=start.home, namespace=start.namespace, name=start.name)
        state = HostState.model_validate_json(start.state or "{}")
        self._site = state.site or start.site or DEFAULT_SITE
        self._attempt = state.attempt
        self._linger = timedelta(seconds=state.linger_seconds)
        self._site_patience = timedelta(seconds=state.site_patience_seconds)
        self._handed_over = state
        self._woken = False
        self._asked_by: set[str] = set()
        self._assessing = False
        self._unserved = 0
        self._order: OperationOrder | None = None
        self._refused: tuple[str, str] = (state.refused_id, state.refusal)
        self._operating: asyncio.Task[OperationReport] | None = None

    @workflow.signal(name=RECONCILE_SIGNAL)
    def reconcile(self, request: ReconcileRequest) -> None:
        """Something may have changed; what, the assessment finds out."""
        self._woken = True
        self._asked_by.add(request.reason)

    @workflow.run
    async def run(self, start: ReconcileInput) -> None:
        """Go on until there is nothing to do and nobody has called for a while, or a person cancels it while nothing is unanswered."""
        try:
            await self._run(start)
        except BaseException as error:
            # A signal that no assessment has answered yet was acknowledged, and nobody will send it again.
            if not (is_cancelled_exception(error) and (self._woken or self._assessing)):
                raise
            workflow.continue_as_new(start.model_copy(update={"state": self._hand_over()}))

    async def _run(self, start: ReconcileInput) -> None:
        if self._handed_over.order is not None:
            self._begin(self._handed_over.order)
        while True:
            self._woken, self._assessing = False, True
            assessment = await self._assess()
            self._assessing = False
            self._attempt = self._attempt + 1 if assessment.healing else 0
            if self._operating is None and assessment.operation is not None:
                self._begin(assessment.operation)
            if self._operating is not None:
                await self._operation_or_signal(self._operating)
            elif assessment.outcome == "OtherSite":
                self._site = assessment.site
            elif not await self._pause(assessment):
                return
            if workflow.info().is_continue_as_new_suggested():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(start.model_copy(update={"state": self._hand_over()}))

    def _hand_over(self) -> str:
        refused_id, refusal = self._refused
        changed = {
            "site": self._site,
            "attempt": self._attempt,
            "order": self._order,
            "refused_id": refused_id,
            "refusal": refusal,
        }
        return self._handed_over.model_copy(update=changed).model_dump_json()

    async def _assess(self) -> Assessment:
        question = AssessInput(
            host=self._host,
            site=self._site,
            operation_id=str(workflow.uuid4()),
            in_flight=self._order.id if self._order is not None else "",
            attempt=self._attempt,
            refused_id=self._refused[0],
            refusal=self._refused[1],
            only_swept=self._asked_by == {"Sweep"},
        )
        self._asked_by.clear()
        try:
            assessment = await workflow.execute_activity_method(
                HostActivities.assess,
                question,
                task_queue=ssh_queue(self._host.home, self._site),
                schedule_to_start_timeout=self._site_patience,
                **options.ASSESS,
            )
        except ActivityError as error:
            if not _never_started(error):
                raise
            self._unserved += 1
            return await self._look_for_site(question)
        self._unserved = 0
        return assessment

    async def _look_for_site(self, question: AssessInput) -> Assessment:
        """No worker took the assessment: all may have been away, this one included, so only the second time counts."""
        if self._unserved == 1:
            return Assessment(outcome="OtherSite", site=self._site, reason="SiteNotServed")
        # The site may have been corrected since: the report re-reads the object and answers with the site it names.
        site = await workflow.execute_activity_method(
            KubernetesActivities.report_unserved_site,
            question,
            task_queue=kubernetes_queue(self._host.home),
            **options.REPORT,
        )
        if not site:
            return Assessment(outcome="Gone")
        if site != self._site:
            self._unserved = 0
            return Assessment(outcome="OtherSite", site=site)
        return Assessment(
            outcome="Wait" if self._unserved <= options.SITE_LOOKS else "Rest",
            recheck_seconds=options.SITE_PAUSE_SECONDS,
            reason="SiteNotServed",
        )

    def _begin(self, order: OperationOrder) -> None:
        self._order = order
        self._operating = asyncio.create_task(self._operate(order))

    async def _operate(self, order: OperationOrder) -> OperationReport:
        try:
            return await workflow.execute_activity_method(
                HostActivities.run_operation,
                RunOperationInput(host=self._host, order=order),
                task_queue=operations_queue(self._host.home, self._site),
                schedule_to_start_timeout=options.ORDER_PATIENCE,
                **options.RUN_OPERATION,
            )
        except ActivityError as error:
            if not _never_started(error):
                raise
            return OperationReport(state="Unknown", message="no worker of its site took it up")

    async def _operation_or_signal(self, operating: asyncio.Task[OperationReport]) -> None:
        """Wait for the end of the operation or a signal; an operation in flight is never cancelled."""
        await workflow.wait_condition(lambda: operating.done() or self._woken)
        if operating.done():
            report = operating.result()
            refused = self._order is not None and report.state == "Refused"
            self._refused = (self._order.id, report.message) if self._order and refused else ("", "")
            self._operating = self._order = None

    async def _pause(self, assessment: Assessment) -> bool:
        """Wait as the assessment says; False when the workflow may end."""
        if assessment.ends:
            return self._woken
        waiting = assessment.outcome == "Wait"
        timeout = timedelta(seconds=assessment.recheck_seconds) if waiting else self._linger
        try:
            await workflow.wait_condition(lambda: self._woken, timeout=timeout)
        except TimeoutError:
            # The signal may have come with the timer: then it was handled, and nobody will send it again.
            return waiting or self._woken
        return True


def _never_started(error: ActivityError) -> bool:
    cause = error.cause
    return isinstance(cause, ActivityTimeoutError) and cause.type == TimeoutType.SCHEDULE_TO_START
