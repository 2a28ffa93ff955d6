"""What is swept, what is drawn, and what counts as a difference."""

import pytest

from kraut_lab.crashes.boundaries import Boundary, any_such, boundaries, sample, unnumbered
from kraut_lab.crashes.finalstate import differences, steady, workflow_state

COURSE = [
    "operator/wake HostWorkflow.1/before",
    "assess_host.2/kube GET hosts/_.1/before",
    "assess_host.2/ssh gather_facts.1/cut",
    "run_operation.1/ssh poll.1/before",
    "run_operation.1/ssh poll.1/after",
    "assess_host.3/kube PUT hosts/_/status.1/after",
    "run_operation.2/ssh start.1/after",
    "assess_host.4/activity.1/after",
]


def test_boundaries_are_the_union_and_know_who_had_them():
    found = boundaries([["a/b/before", "a/b/after"], ["a/b/before", "a/c/before", "a/b/after"]])
    assert found == [
        Boundary("a/b/before"),
        Boundary("a/b/after"),
        Boundary("a/c/before", steady=False),
    ]


def test_a_sample_covers_the_course_and_comes_again_with_its_seed():
    found = [Boundary(name) for name in COURSE]
    names = {boundary.name for boundary in sample(found, 7)}
    assert {name.split("/")[0] for name in names} >= {"operator", "assess_host.2", "run_operation.1", "run_operation.2"}
    assert any(name.endswith("/cut") for name in names)
    assert sample(found, 7) == sample(found, 7)
    assert len({tuple(sample(found, seed)) for seed in range(50)}) > 1


@pytest.mark.parametrize(
    ("name", "kind", "fault"),
    [
        ("operator/wake HostWorkflow.12/after", "operator/wake HostWorkflow/after", "operator killed"),
        (
            "assess_host.3/kube PUT hosts/_/status.1/before",
            "assess_host/kube PUT hosts/_/status/before",
            "worker killed",
        ),
        ("run_operation.1/ssh poll.9/cut", "run_operation/ssh poll/cut", "connection cut in mid output"),
    ],
)
def test_kinds_and_faults(name, kind, fault):
    assert unnumbered(name) == kind
    assert Boundary(name).fault == fault


def test_any_such_crossing_leaves_out_its_number():
    pattern = any_such("run_operation.2/kube PUT hosts/_/status.3/before")
    assert pattern == "run_operation.2/kube PUT hosts/_/status.*/before"


def test_steady_drops_what_differs_between_any_two_runs():
    operation = {"id": "1", "type": "Reboot", "bootID": "b", "startTime": "now", "exitCode": 0}
    assert steady({"operations": [operation], "osID": "debian"}) == {
        "operations": [{"type": "Reboot", "exitCode": 0}],
        "osID": "debian",
    }


def test_differences_name_the_place():
    golden = {"boots": 1, "operations": [{"result": "Succeeded"}]}
    assert differences(golden, golden) == []
    found = differences(golden, {"boots": 2, "operations": [{"result": "Lost"}], "more": True})
    assert found == [
        "boots: expected 1, found 2",
        "more: expected None, found True",
        "operations[0].result: expected 'Succeeded', found 'Lost'",
    ]
    assert differences(golden, {"boots": 1, "operations": []}) != []


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        ({}, "absent"),
        ({"workflowExecutionInfo": {"status": "WORKFLOW_EXECUTION_STATUS_RUNNING"}}, "at rest"),
        ({"workflowExecutionInfo": {"status": "WORKFLOW_EXECUTION_STATUS_FAILED"}}, "WORKFLOW_EXECUTION_STATUS_FAILED"),
        ({"pendingWorkflowTask": {"attempt": 1}}, "busy deciding"),
        ({"pendingActivities": [{"activityType": {"name": "assess_host"}}]}, "busy with assess_host"),
    ],
)
def test_a_workflow_rests_when_nothing_is_under_way(described, expected):
    assert workflow_state(described) == expected
