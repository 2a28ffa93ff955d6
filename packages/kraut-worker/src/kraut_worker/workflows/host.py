"""HostWorkflow: assess, do what was decided, assess again."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, TimeoutType
from temporalio.exceptions import TimeoutError as ActivityTimeoutError

with workflow.unsafe.imports_passed_through():
    from kraut_core.contracts.reconcile import (
        DEFAULT_SITE,
        RECONCILE_SIGNAL,
        ReconcileInput,
        ReconcileRequest,
        kubernetes_queue,
        ssh_queue,
    )
    from kraut_worker.messages import (
        AssessInput,
        Assessment,
        HostName,
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
        self._site = start.state or DEFAULT_SITE
        self._woken = False
        self._attempt = 0
        self._operating: asyncio.Task[OperationReport] | None = None
        self._order: OperationOrder | None = None

    @workflow.signal(name=RECONCILE_SIGNAL)
    def reconcile(self, request: ReconcileRequest) -> None:
        """Something may have changed; what, the assessment finds out."""
        del request
        self._woken = True

    @workflow.run
    async def run(self, start: ReconcileInput) -> None:
        """Go on until there is nothing to do and nobody has called for a while."""
        while True:
            self._woken = False
            assessment = await self._assess()
            self._attempt = self._attempt + 1 if assessment.healing else 0
            if self._operating is None and assessment.operation is not None:
                self._begin(assessment.operation)
            if self._operating is not None:
                await self._operation_or_signal()
            elif assessment.outcome == "OtherSite":
                self._site = assessment.site
            elif not await self._pause(assessment):
                return
            if workflow.info().is_continue_as_new_suggested() and self._operating is None:
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(start.model_copy(update={"state": self._site}))

    async def _assess(self) -> Assessment:
        question = AssessInput(
            host=self._host,
            site=self._site,
            operation_id=str(workflow.uuid4()),
            in_flight=self._order.id if self._order is not None else "",
            attempt=self._attempt,
        )
        while True:
            try:
                return await workflow.execute_activity_method(
                    HostActivities.assess,
                    question,
                    task_queue=ssh_queue(self._host.home, self._site),
                    schedule_to_start_timeout=options.SITE_PATIENCE,
                    **options.ASSESS,
                )
            except ActivityError as error:
                if not _never_started(error):
                    raise
            # The site may have been corrected since: the report re-reads the object and answers with the site it names.
            self._site = await workflow.execute_activity_method(
                KubernetesActivities.report_unserved_site,
                question,
                task_queue=kubernetes_queue(self._host.home),
                **options.REPORT,
            )
            if not self._site:
                return Assessment(outcome="Gone")
            question = question.model_copy(update={"site": self._site})

    def _begin(self, order: OperationOrder) -> None:
        self._order = order
        self._operating = asyncio.create_task(self._operate(order))

    async def _operate(self, order: OperationOrder) -> OperationReport:
        return await workflow.execute_activity_method(
            HostActivities.run_operation,
            RunOperationInput(host=self._host, order=order),
            task_queue=ssh_queue(self._host.home, self._site),
            **options.RUN_OPERATION,
        )

    async def _operation_or_signal(self) -> None:
        """Wait for the end of the operation or a signal; an operation in flight is never cancelled."""
        task = self._operating
        if task is None:
            return
        await workflow.wait_condition(lambda: task.done() or self._woken)
        if task.done():
            self._operating = self._order = None
            task.result()

    async def _pause(self, assessment: Assessment) -> bool:
        """Wait as the assessment says; False when the workflow may end."""
        waiting = assessment.outcome == "Wait"
        timeout = timedelta(seconds=assessment.recheck_seconds) if waiting else options.LINGER
        try:
            await workflow.wait_condition(lambda: self._woken, timeout=timeout)
        except TimeoutError:
            return waiting
        return True


def _never_started(error: ActivityError) -> bool:
    cause = error.cause
    return isinstance(cause, ActivityTimeoutError) and cause.type == TimeoutType.SCHEDULE_TO_START
