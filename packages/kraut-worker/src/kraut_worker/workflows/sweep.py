"""SweepWorkflow: wake every object of a kind once. Started by a Temporal Schedule; it only signals."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from kraut_core.contracts.reconcile import kubernetes_queue
    from kraut_worker.messages import SweepInput, SweepReport
    from kraut_worker.workflows import options
    from kraut_worker.workflows.activities import KubernetesActivities


@workflow.defn(name="SweepWorkflow")
class SweepWorkflow:
    """One sweep over one kind."""

    @workflow.run
    async def run(self, sweep: SweepInput) -> SweepReport:
        """Wake them; returns how many."""
        return await workflow.execute_activity_method(
            KubernetesActivities.sweep,
            sweep,
            task_queue=kubernetes_queue(sweep.home),
            **options.sweep_options(sweep.spread_seconds),
        )
