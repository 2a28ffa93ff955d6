"""The Temporal Schedules that sweep over all objects of each reconciled kind."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from kraut_core.api.kinds import Kind, all_kinds
from kraut_core.contracts.reconcile import workflow_queue
from kraut_worker.messages import SweepInput
from kraut_worker.workflows.sweep import SweepWorkflow

log = structlog.get_logger(__name__)


async def ensure_sweeps(client: Client, home: str, interval: timedelta) -> None:
    """Make one Schedule per reconciled kind say what the settings say; safe to run in every worker at once."""
    for kind in all_kinds():
        if kind.reconciled:
            await _ensure(client, home, kind, interval)


async def _ensure(client: Client, home: str, kind: Kind, interval: timedelta) -> None:
    schedule_id = f"{home}/sweep/{kind.name}"
    schedule = sweep_schedule(home, kind, interval)
    try:
        await client.create_schedule(schedule_id, schedule)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(schedule_id).update(_replace_with(schedule))
    log.info("sweep scheduled", schedule=schedule_id, interval_seconds=interval.total_seconds())


def _replace_with(schedule: Schedule) -> Callable[[ScheduleUpdateInput], Awaitable[ScheduleUpdate]]:
    async def update(_: ScheduleUpdateInput) -> ScheduleUpdate:
        return ScheduleUpdate(schedule=schedule)

    return update


def sweep_schedule(home: str, kind: Kind, interval: timedelta) -> Schedule:
    """A sweep every ``interval``, started at a random moment of its first tenth and spread over its first half."""
    return Schedule(
        action=ScheduleActionStartWorkflow(
            SweepWorkflow.run,
            SweepInput(home=home, kind=kind.name, spread_seconds=interval.total_seconds() / 2),
            id=f"{home}/sweep/{kind.name}",
            task_queue=workflow_queue(home),
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=interval)], jitter=interval / 10),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
    )
