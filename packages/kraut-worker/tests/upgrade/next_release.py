"""``python -c "import next_release; next_release.main()"``: kraut-worker as its next release could be.

Its HostWorkflow does something before each look (another activity, behind ``patched``), so the order of its commands is
another one than today's; what its activities answer has fields that today's version does not know (test_upgrade.py).
"""

from datetime import timedelta

from temporalio import activity, workflow
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from kraut_core.contracts.reconcile import RECONCILE_SIGNAL, ReconcileInput, ReconcileRequest
    from kraut_worker import __main__ as entry
    from kraut_worker.messages import Assessment
    from kraut_worker.workflows.host import HostWorkflow

QUEUE = "{home}.next"


@activity.defn(name="look_before")
async def look_before(name: str) -> str:
    """An activity that today's version does not have."""
    return f"{name} was looked at"


@workflow.defn(name="HostWorkflow")
class NextHostWorkflow(HostWorkflow):
    """Runs that began under today's version go on as they began; new ones look before they assess."""

    @workflow.init
    def __init__(self, start: ReconcileInput) -> None:
        super().__init__(start)

    @workflow.signal(name=RECONCILE_SIGNAL)
    def reconcile(self, request: ReconcileRequest) -> None:
        super().reconcile(request)

    @workflow.run
    async def run(self, start: ReconcileInput) -> None:
        await super().run(start)

    async def _assess(self) -> Assessment:
        if workflow.patched("look-before"):
            await workflow.execute_activity(
                look_before,
                self._host.name,
                task_queue=QUEUE.format(home=self._host.home),
                start_to_close_timeout=timedelta(seconds=60),
            )
        return await super()._assess()


def main() -> None:
    """kraut-worker's own entry point with another workflow and one activity more."""
    make_workers = entry.make_workers

    def make_next_workers(settings, outside):
        queue = QUEUE.format(home=outside.home)
        return [*make_workers(settings, outside), Worker(outside.temporal, task_queue=queue, activities=[look_before])]

    entry.make_workers = make_next_workers
    entry.WORKFLOWS = tuple(NextHostWorkflow if found is HostWorkflow else found for found in entry.WORKFLOWS)
    assert NextHostWorkflow in entry.WORKFLOWS
    entry.main()
