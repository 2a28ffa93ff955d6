"""ClusterWorkflow on a real Temporal server: what it does with answers, signals, restarts and cancellations."""

import asyncio

import pytest
from temporalio.client import WorkflowExecutionStatus

from kraut_worker.messages import ClusterAssessment, ClusterState

pytestmark = pytest.mark.integration

REST = ClusterAssessment(outcome="Rest")
QUICK = ClusterState(linger_seconds=0.2)


def in_turn(*answers):
    """One answer after the other; the last one for ever."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


async def test_a_cluster_that_is_fine_is_assessed_once_and_its_workflow_completes(stage):
    await (await stage.wake_cluster(QUICK)).result()
    assert [(asked.cluster.namespace, asked.cluster.name) for asked in stage.clusters.asked] == [("lab", "east")]


async def test_trouble_is_looked_at_again_and_counted_until_it_heals(stage):
    trouble = ClusterAssessment(outcome="Wait", recheck_seconds=0.05, healing=True, reason="Unreachable")
    stage.clusters.answer = in_turn(trouble, trouble, REST)
    await (await stage.wake_cluster(QUICK)).result()
    assert [asked.attempt for asked in stage.clusters.asked] == [0, 1, 2]


@pytest.mark.parametrize(
    ("reason", "attempts"),
    [
        ("Spec", [0, 1, 2, 0, 1]),
        ("Reference", [0, 1, 2, 0, 1]),
        ("Requested", [0, 1, 2, 0, 1]),
        ("Initial", [0, 1, 2, 0, 1]),
        ("Sweep", [0, 1, 2, 3, 4]),
    ],
)
async def test_what_was_tried_in_vain_counts_no_longer_when_something_was_changed(stage, reason, attempts):
    """While it lingers after the last look in a row: whoever mends it then is not left to the next sweep."""
    trouble = ClusterAssessment(outcome="Wait", recheck_seconds=0.05, healing=True, reason="Unauthorized")
    gives_up = ClusterAssessment(outcome="Rest", healing=True, reason="Unauthorized")
    stage.clusters.answer = in_turn(trouble, trouble, gives_up, trouble, REST)
    handle = await stage.wake_cluster(ClusterState(linger_seconds=3600))
    await stage.clusters.until(lambda: len(stage.clusters.asked) == 3)
    await stage.wake_cluster(reason=reason)
    await stage.clusters.until(lambda: len(stage.clusters.asked) == 5)
    assert [asked.attempt for asked in stage.clusters.asked] == attempts
    await handle.terminate()


async def test_a_change_while_a_cluster_is_assessed_is_not_counted_with_what_it_changed(stage):
    trouble = ClusterAssessment(outcome="Wait", recheck_seconds=0.05, healing=True, reason="Unauthorized")
    stage.clusters.answer = in_turn(trouble, REST)
    stage.clusters.may_answer.clear()
    handle = await stage.wake_cluster(QUICK)
    await stage.clusters.until(lambda: len(stage.clusters.asked) == 1)
    await stage.wake_cluster(reason="Spec")
    stage.clusters.may_answer.set()
    await handle.result()
    assert [asked.attempt for asked in stage.clusters.asked] == [0, 0]


async def test_a_signal_while_a_cluster_is_assessed_leads_to_one_more_assessment(stage):
    stage.clusters.may_answer.clear()
    handle = await stage.wake_cluster(QUICK)
    await stage.clusters.until(lambda: len(stage.clusters.asked) == 1)
    await asyncio.gather(*(stage.wake_cluster() for _ in range(20)))
    stage.clusters.may_answer.set()
    await handle.result()
    assert len(stage.clusters.asked) == 2


async def test_a_signal_ends_the_wait_of_a_cluster(stage):
    stage.clusters.answer = in_turn(ClusterAssessment(outcome="Wait", recheck_seconds=3600), REST)
    handle = await stage.wake_cluster(QUICK)
    await stage.clusters.until(lambda: len(stage.clusters.asked) == 1)
    await stage.wake_cluster()
    await handle.result()
    assert len(stage.clusters.asked) == 2


async def test_a_signal_that_comes_with_a_cancellation_of_a_cluster_is_answered_by_the_next_run(stage):
    stage.clusters.may_answer.clear()
    await stage.wake_cluster(QUICK)
    await stage.clusters.until(lambda: len(stage.clusters.asked) == 1)
    await stage.cluster_workflow.cancel()
    stage.clusters.may_answer.set()
    await stage.cluster_workflow.result()
    assert len(stage.clusters.asked) == 2
    assert (await stage.cluster_workflow.describe()).status == WorkflowExecutionStatus.COMPLETED
