"""HostWorkflow on a real Temporal server: what it does with answers, signals, restarts and sites that nobody serves."""

import asyncio
from collections.abc import Callable

import pytest
from temporalio.client import WorkflowExecutionStatus

from kraut_worker.messages import AssessInput, Assessment, HostState, OperationOrder, OperationReport

pytestmark = pytest.mark.integration

REST = Assessment(outcome="Rest")
QUICK = HostState(linger_seconds=0.2)
AWAY = QUICK.model_copy(update={"site": "nowhere", "site_patience_seconds": 1})
"""At a site that nobody serves, which is soon given up."""


def order(id_: str = "op-1") -> OperationOrder:
    return OperationOrder(id=id_, type="UpdatePackages", fencing_token=1, boot_id="boot-1", updates="All")


def operate(id_: str = "op-1") -> Assessment:
    return Assessment(outcome="Operate", operation=order(id_))


def in_turn(*answers: Assessment) -> Callable[[AssessInput], Assessment]:
    """One answer after the other; the last one for ever."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


async def test_a_host_with_nothing_to_do_is_assessed_once_and_its_workflow_completes(stage):
    handle = await stage.wake(QUICK)
    await handle.result()
    assert [question.site for question in stage.site.asked] == ["default"]
    assert stage.site.asked[0].host.name == "web-1"
    assert stage.site.asked[0].in_flight == ""


async def test_a_signal_after_completion_starts_the_workflow_again(stage):
    first = await stage.wake(QUICK)
    await first.result()
    second = await stage.wake(QUICK)
    await second.result()
    assert first.first_execution_run_id != second.first_execution_run_id
    assert len(stage.site.asked) == 2


async def test_every_assessment_has_an_operation_id_of_its_own(stage):
    stage.site.answer = in_turn(Assessment(outcome="Wait", recheck_seconds=0.05), REST)
    await (await stage.wake(QUICK)).result()
    ids = [question.operation_id for question in stage.site.asked]
    assert len(set(ids)) == len(ids) == 2


async def test_a_signal_while_assessing_leads_to_another_assessment(stage):
    stage.site.may_answer.clear()
    handle = await stage.wake(QUICK)
    await stage.site.until(lambda: len(stage.site.asked) == 1)
    await stage.wake()
    stage.site.may_answer.set()
    await handle.result()
    assert len(stage.site.asked) == 2


async def test_a_burst_of_signals_while_assessing_costs_one_more_assessment(stage):
    stage.site.may_answer.clear()
    handle = await stage.wake(QUICK)
    await stage.site.until(lambda: len(stage.site.asked) == 1)
    await asyncio.gather(*(stage.wake() for _ in range(50)))
    stage.site.may_answer.set()
    await handle.result()
    assert len(stage.site.asked) == 2


async def test_an_operation_runs_once_and_then_the_host_is_assessed_again(stage):
    stage.site.answer = in_turn(operate(), REST)
    await (await stage.wake(QUICK)).result()
    assert [task.order for task in stage.site.tasks] == [order()]
    assert len(stage.site.asked) == 2
    assert stage.site.asked[1].in_flight == ""


async def test_a_signal_while_an_operation_is_in_flight_is_assessed_and_starts_no_second_one(stage):
    stage.site.answer = in_turn(operate("op-1"), operate("op-2"), REST)
    stage.site.may_end.clear()
    handle = await stage.wake(QUICK)
    await stage.site.until(lambda: len(stage.site.tasks) == 1)
    await stage.wake()
    await stage.site.until(lambda: len(stage.site.asked) == 2)
    assert stage.site.asked[1].in_flight == "op-1"
    stage.site.may_end.set()
    await handle.result()
    assert [task.order.id for task in stage.site.tasks] == ["op-1"]
    assert stage.site.asked[2].in_flight == ""


async def test_a_wait_ends_by_itself_and_trouble_is_counted_until_it_heals(stage):
    trouble = Assessment(outcome="Wait", recheck_seconds=0.05, healing=True)
    stage.site.answer = in_turn(trouble, trouble, Assessment(outcome="Wait", recheck_seconds=0.05), REST)
    await (await stage.wake(QUICK)).result()
    assert [question.attempt for question in stage.site.asked] == [0, 1, 2, 0]


async def test_a_signal_ends_a_wait(stage):
    stage.site.answer = in_turn(Assessment(outcome="Wait", recheck_seconds=3600), REST)
    handle = await stage.wake(QUICK)
    await stage.site.until(lambda: len(stage.site.asked) == 1)
    await stage.wake()
    await handle.result()
    assert len(stage.site.asked) == 2


async def test_a_host_of_another_site_is_assessed_and_worked_on_there(stage):
    edge = stage.start_site("edge")
    stage.site.answer = in_turn(Assessment(outcome="OtherSite", site="edge"))
    edge.answer = in_turn(operate(), REST)
    await (await stage.wake(QUICK)).result()
    assert len(stage.site.asked) == 1
    assert [question.site for question in edge.asked] == ["edge", "edge"]
    assert len(edge.tasks) == 1
    assert stage.site.tasks == []


async def test_a_host_that_moves_while_worked_on_is_left_in_peace_until_that_is_done(stage):
    edge = stage.start_site("edge")
    stage.site.answer = in_turn(operate(), Assessment(outcome="OtherSite", site="edge"))
    stage.site.may_end.clear()
    handle = await stage.wake(QUICK)
    await stage.site.until(lambda: len(stage.site.tasks) == 1)
    await stage.wake()
    await stage.site.until(lambda: len(stage.site.asked) == 2)
    assert edge.asked == []
    stage.site.may_end.set()
    await handle.result()
    assert len(edge.asked) == 1


async def test_a_site_that_nobody_serves_is_reported_after_the_second_wait(stage):
    await stage.wake(AWAY)
    await stage.at_home.until(lambda: len(stage.at_home.unserved) == 1)
    assert stage.at_home.unserved[0].site == "nowhere"


async def test_a_corrected_site_is_found_through_the_report(stage):
    stage.at_home.site_now = lambda _: "default"
    await (await stage.wake(AWAY)).result()
    assert [question.site for question in stage.site.asked] == ["default"]
    assert len(stage.at_home.unserved) == 1


async def test_a_host_that_is_gone_is_not_looked_for_any_longer(stage):
    stage.at_home.site_now = lambda _: ""
    await (await stage.wake(AWAY)).result()
    assert len(stage.at_home.unserved) == 1


async def test_a_worker_that_comes_to_an_unserved_site_is_found_by_the_next_signal(stage):
    handle = await stage.wake(AWAY)
    await stage.at_home.until(lambda: len(stage.at_home.unserved) == 1)
    late = stage.start_site("nowhere")
    await stage.wake()
    await handle.result()
    assert len(late.asked) == 1


async def test_an_operation_goes_on_when_the_workflow_worker_is_restarted(stage):
    stage.site.answer = in_turn(operate(), REST)
    stage.site.may_end.clear()
    handle = await stage.wake(QUICK)
    await stage.site.until(lambda: len(stage.site.tasks) == 1)
    await stage.stop("workflows")
    await stage.wake()
    stage.site.may_end.set()
    stage.start_workflows()
    await handle.result()
    assert [task.order.id for task in stage.site.tasks] == ["op-1"]
    assert stage.site.asked[-1].in_flight == ""


async def test_an_operation_is_taken_up_by_the_next_worker_under_the_same_id(stage):
    stage.site.answer = in_turn(operate(), REST)
    stage.site.may_end.clear()
    handle = await stage.wake(QUICK)
    await stage.site.until(lambda: len(stage.site.tasks) == 1)
    await stage.stop_site()
    stage.start_site()
    await stage.site.until(lambda: len(stage.site.tasks) == 2)
    stage.site.may_end.set()
    await handle.result()
    assert stage.site.tasks[0] == stage.site.tasks[1]


async def test_no_signal_is_lost_at_the_edge_of_completion(stage):
    """Whenever a signal was acknowledged, an assessment begins after it (I2)."""
    state = HostState(linger_seconds=0.001)
    await stage.stop("workflows")
    stage.start_workflows(cached=100)
    for _ in range(20):
        asked = len(stage.site.asked)
        await stage.wake(state)
        await stage.site.until(lambda asked=asked: len(stage.site.asked) > asked)


async def test_a_sweep_that_finds_nothing_to_do_ends_its_run_at_once(stage):
    """No timer, no task for its end: with a thousand hosts a sweep is mostly such runs."""
    stage.site.answer = lambda question: Assessment(outcome="Rest", ends=question.only_swept)
    handle = await stage.wake(HostState(linger_seconds=3600), reason="Sweep")
    await handle.result()
    assert [question.only_swept for question in stage.site.asked] == [True]
    history = await handle.fetch_history()
    assert not [event for event in history.events if event.HasField("timer_started_event_attributes")]


async def test_whoever_asks_while_a_sweep_looks_is_answered_and_lingered_for(stage):
    stage.site.answer = lambda question: Assessment(outcome="Rest", ends=question.only_swept)
    stage.site.may_answer.clear()
    handle = await stage.wake(QUICK, reason="Sweep")
    await stage.site.until(lambda: len(stage.site.asked) == 1)
    await stage.wake(reason="Spec")
    await stage.wake(reason="Sweep")
    stage.site.may_answer.set()
    await handle.result()
    assert [question.only_swept for question in stage.site.asked] == [True, False]


async def test_no_signal_is_lost_at_the_edge_of_a_sweep(stage):
    """Whenever a signal was acknowledged, an assessment begins after it (I2), also when the run ends with its answer."""
    stage.site.answer = lambda question: Assessment(outcome="Rest", ends=question.only_swept)
    await stage.stop("workflows")
    stage.start_workflows(cached=100)
    for number in range(40):
        asked = len(stage.site.asked)
        await stage.wake(reason="Sweep" if number % 2 else "Spec")
        await stage.site.until(lambda asked=asked: len(stage.site.asked) > asked)


async def test_a_long_run_continues_as_new_with_its_site_and_its_operation(stage):
    """The server suggests it at 4 MiB of history; an operation is in flight meanwhile."""
    edge = stage.start_site("edge")
    edge.answer = lambda question: operate() if not edge.may_end.is_set() else REST
    edge.may_end.clear()
    await stage.stop("workflows")
    stage.start_workflows(cached=100)
    first = await stage.wake(QUICK.model_copy(update={"site": "edge"}))
    await edge.until(lambda: len(edge.tasks) == 1)
    while len(edge.tasks) == 1:
        asked = len(edge.asked)
        await stage.wake(uid="u" * 500_000)
        await edge.until(lambda asked=asked: len(edge.asked) > asked or len(edge.tasks) > 1)
    run = await stage.host_workflow.describe()
    assert run.run_id != first.first_execution_run_id
    assert stage.site.asked == []
    assert edge.tasks[1] == edge.tasks[0]
    edge.may_end.set()
    await stage.host_workflow.result()
    assert all(question.in_flight == "op-1" for question in edge.asked[1:-1])
    assert {task.order.id for task in edge.tasks} == {"op-1"}


async def test_a_run_at_its_limit_continues_as_new_and_the_next_one_ends_it(brief_stage):
    """The same, short enough for its history to be kept and replayed by later versions (record.py)."""
    site = brief_stage.site
    site.answer = lambda question: operate() if not site.may_end.is_set() else REST
    site.may_end.clear()
    first = await brief_stage.wake(QUICK)
    await site.until(lambda: len(site.tasks) == 1)
    while len(site.tasks) == 1:
        asked = len(site.asked)
        await brief_stage.wake()
        await site.until(lambda asked=asked: len(site.asked) > asked or len(site.tasks) > 1)
    run = brief_stage.client.get_workflow_handle(brief_stage.host_workflow_id, run_id=first.first_execution_run_id)
    assert (await run.describe()).status == WorkflowExecutionStatus.CONTINUED_AS_NEW
    site.may_end.set()
    await brief_stage.host_workflow.result()
    assert {task.order.id for task in site.tasks} == {"op-1"}


async def test_a_run_that_takes_over_an_operation_attaches_to_it_first(stage):
    """What the run before handed over, as in the test above."""
    stage.site.may_end.clear()
    handle = await stage.wake(QUICK.model_copy(update={"order": order("op-7"), "attempt": 3}))
    await stage.site.until(lambda: stage.site.tasks and stage.site.asked)
    assert [task.order.id for task in stage.site.tasks] == ["op-7"]
    assert (stage.site.asked[0].in_flight, stage.site.asked[0].attempt) == ("op-7", 3)
    stage.site.may_end.set()
    await handle.result()
    assert stage.site.asked[-1].in_flight == ""


async def test_what_a_host_refused_is_told_to_the_next_assessment(stage):
    stage.site.answer = in_turn(operate(), REST)
    stage.site.report = OperationReport(state="Refused", message="the disk is full")
    await (await stage.wake(QUICK)).result()
    assert (stage.site.asked[1].refused_id, stage.site.asked[1].refusal) == ("op-1", "the disk is full")


async def test_the_first_look_goes_where_whoever_woke_it_saw_the_object(stage):
    """A home that serves no hosts itself: nobody listens on the default site."""
    await stage.stop_site()
    away = stage.start_site("edge")
    away.answer = in_turn(REST)
    handle = await stage.wake(QUICK, site="edge")
    await handle.result()
    assert [question.site for question in away.asked] == ["edge"]
