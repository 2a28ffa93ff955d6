"""The activities of HostWorkflow that reach the host."""

from temporalio import activity

from kraut_worker.activities.assess import HostAssessor
from kraut_worker.activities.heartbeat import heartbeating
from kraut_worker.activities.operate import HostOperator
from kraut_worker.messages import AssessInput, Assessment, OperationReport, RunOperationInput
from kraut_worker.metrics import WorkerMetrics


class HostActivitiesOnSite:
    """Implements ``kraut_worker.workflows.activities.HostActivities``."""

    def __init__(self, assessor: HostAssessor, operator: HostOperator, metrics: WorkerMetrics) -> None:
        self._assessor = assessor
        self._operator = operator
        self._metrics = metrics

    @activity.defn(name="assess_host")
    async def assess(self, question: AssessInput) -> Assessment:
        """Read the Host, gather facts, decide the next step, write the status."""
        with self._metrics.assessment() as outcome:
            async with heartbeating():
                assessment = await self._assessor.assess(question, activity.info().workflow_id or "")
            outcome.append(assessment.outcome)
            return assessment.model_copy(update={"ends": question.only_swept and assessment.outcome == "Rest"})

    @activity.defn(name="run_operation")
    async def run_operation(self, task: RunOperationInput) -> OperationReport:
        """Start an operation or attach to it, and stay until its end is known."""
        with self._metrics.operation(task.order.type) as state:
            async with heartbeating():
                report = await self._operator.run(task)
            state.append(report.state)
            return report
