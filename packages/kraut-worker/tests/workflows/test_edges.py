"""Row 11: signals and cancellations at the moments when a run ends or hands over to the next one (I2, I8).

The world is a number that grows before each signal, as a spec does: whoever was signalled must look at it once more.
"""

import asyncio
import random

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import CancelledError

from kraut_worker.messages import Assessment, HostState, OperationOrder

pytestmark = pytest.mark.integration

BURST = 50
BURSTS = 20
REST = Assessment(outcome="Rest")
ENDS_AT_ONCE = HostState(linger_seconds=0.001)
ORDER = OperationOrder(id="op-1", type="UpdatePackages", fencing_token=1, boot_id="boot-1", updates="All")


class World:
    """What assessments look at."""

    def __init__(self, stage):
        self.now = 0
        self.seen = []
        stage.site.answer = self.look
        self.decision = REST

    def look(self, _):
        self.seen.append(self.now)
        return self.decision

    async def wait_seen(self):
        """Until somebody looked after the last change."""
        async with asyncio.timeout(120):
            while not self.seen or self.seen[-1] != self.now:
                await asyncio.sleep(0.01)


async def burst(stage, state, *, uid="u-1"):
    await asyncio.gather(*(stage.wake(state, uid=uid) for _ in range(BURST)))


@pytest.fixture
async def cached(stage):
    """Workflows stay in memory: a thousand signals are about the server, not about replays."""
    await stage.stop("workflows")
    stage.start_workflows(cached=100)
    return stage


@pytest.mark.fault(row=11, fault="1,000 signals at completion", invariants=("I2", "I8"))
async def test_a_thousand_signals_to_runs_that_are_about_to_complete(cached):
    world = World(cached)
    for _ in range(BURSTS):
        world.now += 1
        await burst(cached, ENDS_AT_ONCE)
        await world.wait_seen()
    await cached.host_workflow.result()
    assert world.seen == sorted(world.seen)
    assert len(world.seen) < BURST * BURSTS
    assert (await cached.host_workflow.describe()).status == WorkflowExecutionStatus.COMPLETED


@pytest.mark.fault(row=11, fault="1,000 signals at continue-as-new", invariants=("I2", "I3", "I8"))
async def test_a_thousand_signals_to_a_run_that_continues_as_new_with_an_operation_in_flight(cached):
    """Large ones: the server suggests it at 4 MiB of history."""
    world = World(cached)
    world.decision = Assessment(outcome="Operate", operation=ORDER)
    cached.site.may_end.clear()
    first = await cached.wake(ENDS_AT_ONCE)
    await cached.site.until(lambda: len(cached.site.tasks) == 1)
    for _ in range(BURSTS):
        world.now += 1
        await burst(cached, ENDS_AT_ONCE, uid="u" * 6_000)
        await world.wait_seen()
    assert (await cached.host_workflow.describe()).run_id != first.first_execution_run_id
    world.decision = REST
    cached.site.may_end.set()
    await cached.host_workflow.result()
    assert {task.order.id for task in cached.site.tasks} == {"op-1"}


@pytest.mark.fault(row=11, fault="cancel racing completion", invariants=("I2", "I8"))
async def test_cancellations_that_race_the_end_of_activities_leave_nothing_stuck(cached):
    """Before, at and after the end of an assessment; whatever came of the run, the next signal is answered."""
    world = World(cached)
    draw = random.Random(11)
    outcomes = set()
    for _ in range(15):
        world.now += 1
        cached.site.may_answer.clear()
        asked = len(cached.site.asked)
        await cached.wake(ENDS_AT_ONCE)
        await cached.site.until(lambda asked=asked: len(cached.site.asked) > asked)
        run = (await cached.host_workflow.describe()).run_id
        cancel = asyncio.create_task(cached.host_workflow.cancel())
        await asyncio.sleep(draw.random() * 0.02)
        cached.site.may_answer.set()
        await cancel
        world.now += 1
        await cached.wake(ENDS_AT_ONCE)
        await world.wait_seen()
        cancelled = cached.client.get_workflow_handle(cached.host_workflow_id, run_id=run)
        outcomes.add((await cancelled.describe()).status)
    assert outcomes & {WorkflowExecutionStatus.CANCELED, WorkflowExecutionStatus.CONTINUED_AS_NEW}
    await cached.host_workflow.result()


@pytest.mark.fault(row=11, fault="cancel racing completion", invariants=("I2", "I3", "I8"))
async def test_a_signal_that_comes_with_a_cancellation_is_answered_by_the_next_run(stage):
    """It was acknowledged: nobody sends it again. What is in flight on the host stays what it is."""
    world = World(stage)
    world.decision = Assessment(outcome="Operate", operation=ORDER)
    stage.site.may_end.clear()
    await stage.wake(ENDS_AT_ONCE)
    await stage.site.until(lambda: len(stage.site.tasks) == 1)
    await stage.stop("workflows")
    world.now += 1
    await stage.wake(ENDS_AT_ONCE)
    await stage.host_workflow.cancel()
    stage.start_workflows()
    await world.wait_seen()
    world.decision = REST
    stage.site.may_end.set()
    await stage.host_workflow.result()
    assert {task.order.id for task in stage.site.tasks} == {"op-1"}


async def test_a_cancelled_run_that_nobody_calls_ends_and_the_next_signal_starts_another(stage):
    stage.site.answer = lambda _: Assessment(outcome="Wait", recheck_seconds=600)
    await stage.wake(ENDS_AT_ONCE)
    async with asyncio.timeout(60):
        while not (stage.site.asked and not (await stage.host_workflow.describe()).raw_description.pending_activities):
            await asyncio.sleep(0.05)
    await stage.host_workflow.cancel()
    with pytest.raises(WorkflowFailureError) as caught:
        await stage.host_workflow.result()
    assert isinstance(caught.value.cause, CancelledError)
    stage.site.answer = lambda _: REST
    await stage.wake(ENDS_AT_ONCE)
    await stage.host_workflow.result()
    assert len(stage.site.asked) == 2
