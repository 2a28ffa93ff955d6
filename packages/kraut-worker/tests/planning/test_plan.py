"""The plan as a value: started, postponed, answered."""

from datetime import timedelta

import pytest

from kraut_core.api.v1alpha1.host import HostStatus
from kraut_core.api.v1alpha1.upgradepolicy import UpgradePolicySpec
from kraut_worker.messages import OperationOrder
from kraut_worker.planning.budget import Denied
from kraut_worker.planning.plan import answer, plan_host, postpone, start
from kraut_worker.planning.scene import Problem
from kraut_worker.planning.settle import HISTORY
from kraut_worker.testing.scenes import NOW, make_host, make_observation, make_operation, make_scene, on_host

UNREACHABLE = Problem("Unreachable", "no answer", permanent=False)
DUE = make_observation(pending=2)


def started(scene):
    plan = plan_host(scene)
    return start(plan, plan.decision.operation)


def test_a_started_operation_stands_first_with_everything_that_tells_it_from_others():
    old = make_operation("Succeeded", id_="old", ended=NOW - timedelta(days=9))
    host = make_host(generation=4, status=HostStatus(operations=[old], fencing_token=7))
    plan = started(make_scene(host, DUE))
    first, second = plan.operations
    assert (first.id, first.type, first.result, first.boot_id) == ("new", "UpdatePackages", "Running", "boot-1")
    assert (first.generation, first.start_time, first.workflow_id) == (4, NOW, "home/Host/lab/web-1")
    assert second == old
    assert plan.disrupted


@pytest.mark.parametrize(
    ("sentence", "written", "on_the_host", "expected"),
    [
        ("the first operation ever", 0, 0, 1),
        ("greater than the last", 7, 7, 8),
        ("the Host was re-created: greater than what the host has seen", 0, 41, 42),
        ("the host was installed anew: greater than what was written", 41, 0, 42),
    ],
)
def test_the_fencing_token_only_grows(sentence, written, on_the_host, expected):
    host = make_host(status=HostStatus(fencing_token=written))
    plan = started(make_scene(host, make_observation(pending=2, token=on_the_host)))
    assert plan.fencing_token == expected, sentence
    assert answer(plan).operation.fencing_token == expected


def test_history_stays_within_its_schema():
    many = [make_operation("Succeeded", id_=f"op-{n}", ended=NOW - timedelta(days=n + 1)) for n in range(HISTORY)]
    plan = started(make_scene(make_host(status=HostStatus(operations=many)), DUE))
    assert [operation.id for operation in plan.operations] == ["new", *(f"op-{n}" for n in range(HISTORY - 1))]


def test_an_order_says_all_that_the_activity_needs():
    policy = UpgradePolicySpec(progress_deadline_seconds=900)
    update = answer(started(make_scene(make_host(updates="Security"), make_observation(pending=2, security=1))))
    reboot = answer(started(make_scene(make_host(), make_observation(reboot_required_by=["linux"]), policy=policy)))
    assert update.outcome == reboot.outcome == "Operate"
    assert update.operation == OperationOrder(
        id="new",
        type="UpdatePackages",
        fencing_token=1,
        boot_id="boot-1",
        host_uid="uid-web-1",
        updates="Security",
        deadline_seconds=120,
    )
    assert (reboot.operation.type, reboot.operation.deadline_seconds) == ("Reboot", 900)


def test_the_same_order_is_given_again_to_whoever_takes_over():
    plan = started(make_scene(make_host(), DUE))
    host = make_host(status=HostStatus(operations=list(plan.operations), fencing_token=plan.fencing_token))
    running = make_observation(pending=2, operations=[on_host(id_="new", token=1)], token=1)
    again = answer(plan_host(make_scene(host, running, new_operation_id="newer")))
    assert again.operation == answer(plan).operation


def test_an_assessment_that_is_repeated_after_it_was_written_down_gives_the_same_answer():
    """The worker died between writing the status and answering: the retry bears the same operation id."""
    first = started(make_scene(make_host(), DUE))
    host = make_host(status=HostStatus(operations=list(first.operations), fencing_token=first.fencing_token))
    second = plan_host(make_scene(host, DUE))
    assert answer(second) == answer(first)
    assert second.operations == first.operations


def test_without_a_place_nothing_is_started_and_nothing_is_held():
    plan = postpone(plan_host(make_scene(make_host(), DUE)), Denied("waiting for web-2", sharing=3))
    given = answer(plan)
    assert (given.outcome, given.reason, given.recheck_seconds) == ("Wait", "WaitingForBudget", 60)
    assert given.operation is None
    assert plan.operations == ()
    assert not plan.disrupted


@pytest.mark.parametrize(
    ("sharing", "outcome", "seconds"), [(0, "Wait", 60), (60, "Wait", 60), (500, "Wait", 500), (901, "Rest", 901)]
)
def test_the_more_hosts_share_a_policy_the_rarer_each_of_them_asks(sharing, outcome, seconds):
    given = answer(postpone(plan_host(make_scene(make_host(), DUE)), Denied("waiting", sharing=sharing)))
    assert (given.outcome, given.recheck_seconds) == (outcome, seconds)


def test_a_rest_is_answered_as_a_rest():
    given = answer(plan_host(make_scene(make_host(), make_observation())))
    assert (given.outcome, given.operation, given.healing) == ("Rest", None, False)


def test_trouble_that_time_may_heal_is_counted_by_the_workflow():
    given = answer(plan_host(make_scene(make_host(), UNREACHABLE)))
    assert (given.outcome, given.healing, given.recheck_seconds) == ("Wait", True, 5)


def test_while_an_activity_reports_there_is_nothing_to_operate():
    given = answer(plan_host(make_scene(make_host(), DUE, in_flight="op-1")))
    assert given.operation is None


@pytest.mark.parametrize(
    ("sentence", "before", "scene", "failures"),
    [
        ("a failure counts", 2, {"seen": [on_host("Done", exit_code=12)]}, 3),
        ("a loss counts", 2, {"seen": [on_host("Lost")]}, 3),
        ("a success ends the row", 2, {"seen": [on_host("Done", exit_code=0)]}, 0),
        ("what runs changes nothing", 2, {"seen": [on_host()]}, 2),
        ("a request starts a new row", 2, {"seen": [on_host("Done", exit_code=12)], "requested": True}, 1),
        ("a new generation starts a new row", 2, {"seen": [on_host("Done", exit_code=12)], "generation": 2}, 1),
    ],
)
def test_failures_in_a_row(sentence, before, scene, failures):
    host = make_host(
        generation=scene.get("generation", 1), status=HostStatus(operations=[make_operation()], failures=before)
    )
    observation = make_observation(pending=2, operations=scene["seen"])
    plan = plan_host(make_scene(host, observation, requested=scene.get("requested", False)))
    assert plan.failures == failures, sentence


def test_a_host_that_was_mended_by_hand_starts_a_new_row():
    failed = make_operation("Failed", ended=NOW - timedelta(days=1))
    host = make_host(status=HostStatus(operations=[failed], failures=7))
    assert plan_host(make_scene(host, make_observation(pending=2))).failures == 7
    assert plan_host(make_scene(host, UNREACHABLE)).failures == 7
    assert plan_host(make_scene(host, make_observation())).failures == 0
