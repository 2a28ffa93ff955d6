"""ClusterWorkflow: assess, wait as was decided, assess again."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from kraut_core.contracts.reconcile import RECONCILE_SIGNAL, ReconcileInput, ReconcileRequest, kubernetes_queue
    from kraut_worker.messages import AssessClusterInput, ClusterAssessment, ClusterName, ClusterState
    from kraut_worker.workflows import options
    from kraut_worker.workflows.activities import ClusterActivities


CHANGES = frozenset({"Spec", "Initial", "Reference", "Requested"})
"""Reasons that say more than that it is time to look again: what was tried in vain before says nothing of what is now."""


@workflow.defn(name="ClusterWorkflow")
class ClusterWorkflow:
    """The one writer of a Cluster. No step knows how it got here: every pass starts from what the two APIs say now."""

    @workflow.init
    def __init__(self, start: ReconcileInput) -> None:
        self._cluster = ClusterName(home=start.home, namespace=start.namespace, name=start.name)
        self._state = ClusterState.model_validate_json(start.state or "{}")
        self._attempt = self._state.attempt
        self._woken = False
        self._changed = False
        self._assessing = False

    @workflow.signal(name=RECONCILE_SIGNAL)
    def reconcile(self, request: ReconcileRequest) -> None:
        """Something may have changed; what, the assessment finds out."""
        self._woken = True
        self._changed = self._changed or request.reason in CHANGES

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
        while True:
            self._attempt = self._attempt_now()
            self._woken, self._changed, self._assessing = False, False, True
            assessment = await self._assess()
            self._assessing = False
            self._attempt = self._attempt + 1 if assessment.healing else 0
            if not await self._pause(assessment):
                return
            if workflow.info().is_continue_as_new_suggested():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(start.model_copy(update={"state": self._hand_over()}))

    def _attempt_now(self) -> int:
        return 0 if self._changed else self._attempt

    def _hand_over(self) -> str:
        return self._state.model_copy(update={"attempt": self._attempt_now()}).model_dump_json()

    async def _assess(self) -> ClusterAssessment:
        return await workflow.execute_activity_method(
            ClusterActivities.assess,
            AssessClusterInput(cluster=self._cluster, attempt=self._attempt),
            task_queue=kubernetes_queue(self._cluster.home),
            **options.ASSESS_CLUSTER,
        )

    async def _pause(self, assessment: ClusterAssessment) -> bool:
        """Wait as the assessment says; False when the workflow may end."""
        waiting = assessment.outcome == "Wait"
        seconds = assessment.recheck_seconds if waiting else self._state.linger_seconds
        try:
            await workflow.wait_condition(lambda: self._woken, timeout=timedelta(seconds=seconds))
        except TimeoutError:
            # The signal may have come with the timer: then it was handled, and nobody will send it again.
            return waiting or self._woken
        return True
