"""The sweeps' Schedules on a real Temporal server."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client, ScheduleActionStartWorkflow, ScheduleOverlapPolicy
from temporalio.contrib.pydantic import pydantic_data_converter

from kraut_worker.messages import SweepInput
from kraut_worker.schedules import ensure_sweeps
from kraut_worker.settings import WorkerSettings

pytestmark = pytest.mark.integration

DEFAULT = timedelta(seconds=WorkerSettings().sweep_interval_seconds)


async def test_every_host_is_looked_at_each_interval_by_one_sweep_at_a_time(temporal_server: Any) -> None:
    home = f"home-{uuid.uuid4().hex[:8]}"
    client = await Client.connect(temporal_server.address, data_converter=pydantic_data_converter)
    handle = client.get_schedule_handle(f"{home}/sweep/Host")
    try:
        await ensure_sweeps(client, home, DEFAULT)
        schedule = (await handle.describe()).schedule

        assert timedelta(minutes=15) == DEFAULT
        assert [interval.every for interval in schedule.spec.intervals] == [DEFAULT]
        assert schedule.spec.jitter == DEFAULT / 10
        assert schedule.policy.overlap == ScheduleOverlapPolicy.SKIP
        assert isinstance(schedule.action, ScheduleActionStartWorkflow)
        [payload] = schedule.action.args
        [sweep] = await pydantic_data_converter.decode([payload], [SweepInput])
        assert sweep == SweepInput(home=home, kind="Host", spread_seconds=DEFAULT.total_seconds() / 2)

        await ensure_sweeps(client, home, timedelta(minutes=5))
        changed = (await handle.describe()).schedule
        assert [interval.every for interval in changed.spec.intervals] == [timedelta(minutes=5)]
    finally:
        await handle.delete()
