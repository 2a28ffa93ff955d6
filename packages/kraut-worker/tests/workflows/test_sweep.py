"""SweepWorkflow on a real Temporal server."""

import pytest
from temporalio.api.enums.v1 import EventType

from kraut_core.contracts.reconcile import workflow_queue
from kraut_worker.messages import SweepInput, SweepReport
from kraut_worker.workflows.sweep import SweepWorkflow

pytestmark = pytest.mark.integration


async def test_a_sweep_is_one_activity_that_may_take_longer_than_its_spread(stage):
    sweep = SweepInput(home=stage.home, kind="Host", spread_seconds=43_200)
    handle = await stage.client.start_workflow(
        SweepWorkflow.run, sweep, id=f"{stage.home}/sweep/Host", task_queue=workflow_queue(stage.home)
    )
    assert await handle.result() == SweepReport(woken=7)
    assert stage.at_home.sweeps == [sweep]
    history = await handle.fetch_history()
    scheduled = [event for event in history.events if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]
    assert [event.activity_task_scheduled_event_attributes.start_to_close_timeout.seconds for event in scheduled] == [
        43_200 + 3_600
    ]
