"""What became of an operation: the status' word against the host's."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraut_core.api.v1alpha1.host import HostStatus, OperationStatus
from kraut_worker.planning.retries import did_harm
from kraut_worker.planning.scene import Problem
from kraut_worker.planning.settle import HISTORY, NEVER_STARTED, ended_now, settle_operations
from kraut_worker.testing.scenes import (
    NOW,
    make_host,
    make_observation,
    make_operation,
    make_scene,
    on_host,
)

UNREACHABLE = Problem("Unreachable", "no answer", permanent=False)
REBOOT = make_operation(type_="Reboot", boot="boot-0", began=NOW - timedelta(minutes=1))
LATE_REBOOT = make_operation(type_="Reboot", boot="boot-0", began=NOW - timedelta(minutes=11))


def seen(*operations: Any, boot: str = "boot-1", **facts: Any) -> Any:
    return make_observation(operations=operations, boot=boot, **facts)


@dataclass
class Case:
    """``result`` of the operation, ``words`` in its message, ``asked`` is what else the scene says."""

    sentence: str
    before: OperationStatus
    seen: Any
    result: str
    words: str = ""
    asked: dict[str, Any] = field(default_factory=dict)
    host: dict[str, Any] = field(default_factory=dict)


CASES = [
    Case("it runs -> Running", make_operation(), seen(on_host()), "Running"),
    Case("it was out of sight and runs -> Running", make_operation("Unknown", message="?"), seen(on_host()), "Running"),
    Case("it ended with 0 -> Succeeded", make_operation(), seen(on_host("Done", exit_code=0)), "Succeeded"),
    Case(
        "it ended with 0 out of sight -> Succeeded",
        make_operation("Unknown"),
        seen(on_host("Done", exit_code=0)),
        "Succeeded",
    ),
    Case(
        "it ended with 0 and two updates are left -> Succeeded, says so",
        make_operation(),
        seen(on_host("Done", exit_code=0), pending=2),
        "Succeeded",
        "still pending: 2 updates",
    ),
    Case(
        "it ended with 0 and the package database is broken -> Succeeded, says so",
        make_operation(),
        seen(on_host("Done", exit_code=0), broken=True),
        "Succeeded",
        "still needs repair",
    ),
    Case(
        "security updates were installed and others are left -> Succeeded, nothing to say",
        make_operation(),
        seen(on_host("Done", exit_code=0), pending=2),
        "Succeeded",
        host={"updates": "Security"},
    ),
    Case(
        "it ended with 13 -> Failed, the disk is full",
        make_operation(),
        seen(on_host("Done", exit_code=13)),
        "Failed",
        "full",
    ),
    Case("it was killed -> Lost", make_operation(), seen(on_host("Lost")), "Lost", "killed"),
    Case(
        "the host went down under it -> Lost",
        make_operation(boot="boot-0"),
        seen(on_host("Rebooted", boot="boot-0")),
        "Lost",
        "rebooted before it ended",
    ),
    Case("the host knows nothing of it -> Lost, never started", make_operation(), seen(), "Lost", NEVER_STARTED),
    Case(
        "written down, never begun -> Lost, never started",
        make_operation(),
        seen(on_host("Pending")),
        "Lost",
        NEVER_STARTED,
    ),
    Case(
        "the host knows nothing of it, an activity is about to tell it -> Running",
        make_operation(),
        seen(),
        "Running",
        asked={"in_flight": "op-1"},
    ),
    Case(
        "this assessment decided it and was cut off -> Running: the answer is still to be given",
        make_operation(id_="new"),
        seen(),
        "Running",
    ),
    Case(
        "this assessment decided it for an older spec -> Lost: the last generation wins",
        make_operation(id_="new", generation=1),
        seen(),
        "Lost",
        NEVER_STARTED,
        host={"generation": 2},
    ),
    Case(
        "no answer -> Unknown, neither success nor failure", make_operation(), UNREACHABLE, "Unknown", "cannot be asked"
    ),
    Case(
        "no answer, an activity stays with it -> Running",
        make_operation(),
        UNREACHABLE,
        "Running",
        asked={"in_flight": "op-1"},
    ),
    # Given up too early
    Case(
        "given up as never started, and now it runs -> Running",
        make_operation("Lost", message=NEVER_STARTED),
        seen(on_host()),
        "Running",
    ),
    Case(
        "given up as never started, and it has ended with 0 -> Succeeded",
        make_operation("Lost", message=NEVER_STARTED),
        seen(on_host("Done", exit_code=0)),
        "Succeeded",
    ),
    Case(
        "given up as never started, no answer -> stays Lost",
        make_operation("Lost", message=NEVER_STARTED),
        UNREACHABLE,
        "Lost",
        NEVER_STARTED,
    ),
    Case("killed, the host still says so -> stays Lost", make_operation("Lost"), seen(on_host("Lost")), "Lost"),
    Case(
        "succeeded, whatever the host says of it later -> stays Succeeded",
        make_operation("Succeeded"),
        seen(on_host("Done", exit_code=12)),
        "Succeeded",
    ),
    # Reboots: only another boot id is success (U10)
    Case("another boot id -> Succeeded", REBOOT, seen(boot="boot-1"), "Succeeded"),
    Case(
        "another boot id and it still asks for a reboot -> Succeeded, says so",
        REBOOT,
        seen(boot="boot-1", reboot_required_by=["kernel"]),
        "Succeeded",
        "still asks for a reboot for kernel",
    ),
    Case(
        "accepted, still in the old boot -> Running",
        REBOOT,
        seen(on_host("Done", type_="Reboot", exit_code=0, boot="boot-0"), boot="boot-0"),
        "Running",
    ),
    Case(
        "systemd refused -> Failed",
        REBOOT,
        seen(on_host("Done", type_="Reboot", exit_code=17, boot="boot-0"), boot="boot-0"),
        "Failed",
        "refused",
    ),
    Case(
        "its unit was killed, still in the old boot -> Lost: systemd need not have been told",
        REBOOT,
        seen(on_host("Lost", type_="Reboot", boot="boot-0"), boot="boot-0"),
        "Lost",
        "killed",
    ),
    Case(
        "accepted 11 minutes ago, still in the old boot -> Failed",
        LATE_REBOOT,
        seen(on_host("Done", type_="Reboot", exit_code=0, boot="boot-0"), boot="boot-0"),
        "Failed",
        "still runs boot boot-0",
    ),
    Case(
        "decided 11 minutes ago, an activity stays with it -> Running: it may have been told only now",
        LATE_REBOOT,
        seen(on_host("Done", type_="Reboot", exit_code=0, boot="boot-0"), boot="boot-0"),
        "Running",
        asked={"in_flight": "op-1"},
    ),
    Case(
        "never told, still in the old boot -> Lost, never started", REBOOT, seen(boot="boot-0"), "Lost", NEVER_STARTED
    ),
    Case("told a minute ago, no answer -> Running: that is what a reboot looks like", REBOOT, UNREACHABLE, "Running"),
    Case("told 11 minutes ago, no answer -> Unknown", LATE_REBOOT, UNREACHABLE, "Unknown", "cannot be asked"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sentence)
def test_settle(case):
    host = make_host(status=HostStatus(operations=[case.before]), **case.host)
    (settled,) = settle_operations(make_scene(host, case.seen, **case.asked))
    assert (settled.result, case.words in settled.message) == (case.result, True), settled
    assert (settled.message == "") == (case.words == "")
    assert (settled.completion_time is None) == (settled.result in ("Running", "Unknown"))
    assert (settled.exit_code is None) == (
        settled.result in ("Running", "Unknown", "Lost") or case.words.startswith("still runs")
    )
    assert (settled.id, settled.type, settled.start_time) == (case.before.id, case.before.type, case.before.start_time)


def test_an_operation_that_the_status_does_not_know_is_adopted_and_comes_first():
    host = make_host(status=HostStatus(operations=[make_operation("Succeeded", id_="old")]), generation=3)
    stray = on_host(id_="stray", type_="Reboot", boot="boot-1")
    adopted, old = settle_operations(make_scene(host, seen(stray)))
    assert (adopted.id, adopted.type, adopted.result, adopted.boot_id, adopted.generation) == (
        "stray",
        "Reboot",
        "Running",
        "boot-1",
        3,
    )
    assert old.id == "old"


@pytest.mark.parametrize("state", ["Pending", "Lost", "Rebooted"])
def test_what_does_not_run_is_not_adopted(state):
    assert settle_operations(make_scene(make_host(), seen(on_host(state, id_="stray")))) == []


def test_history_keeps_the_newest():
    many = [make_operation("Succeeded", id_=f"op-{n}") for n in range(HISTORY)]
    settled = settle_operations(make_scene(make_host(status=HostStatus(operations=many)), seen(on_host(id_="stray"))))
    assert [operation.id for operation in settled] == ["stray", *(f"op-{n}" for n in range(HISTORY - 1))]


def test_only_what_was_open_ends_now():
    before = [make_operation(id_="a"), make_operation("Unknown", id_="b"), make_operation("Failed", id_="c")]
    after = [
        make_operation("Succeeded", id_="a"),
        make_operation("Unknown", id_="b"),
        make_operation("Failed", id_="c"),
    ]
    assert [operation.id for operation in ended_now(before, after)] == ["a"]


@given(
    st.sampled_from(CASES),
    st.sampled_from(["Unreachable", "UnknownOutcome", "AuthenticationFailed", "HostKeyMismatch"]),
    st.booleans(),
)
def test_out_of_sight_nothing_succeeds_and_nothing_fails(case, reason, permanent):
    """I12, U15, for every operation of the table."""
    host = make_host(status=HostStatus(operations=[case.before]), **case.host)
    problem = Problem(reason, "out of sight", permanent)
    (settled,) = settle_operations(make_scene(host, problem, **case.asked))
    assert settled.result == case.before.result or settled.result == "Unknown"
    assert settled.completion_time == case.before.completion_time


@given(st.sampled_from(CASES))
def test_asking_twice_changes_nothing(case):
    host = make_host(status=HostStatus(operations=[case.before]), **case.host)
    once = settle_operations(make_scene(host, case.seen, **case.asked))
    again = make_host(status=HostStatus(operations=once), **case.host)
    assert settle_operations(make_scene(again, case.seen, **case.asked)) == once


def test_a_host_that_refused_to_start_it_says_why_and_nobody_was_harmed():
    before = make_operation()
    host = make_host(status=HostStatus(operations=[before]))
    scene = replace(make_scene(host, seen()), refused_id=before.id, refusal="the disk is full")

    [after] = settle_operations(scene)

    assert (after.result, after.message) == ("Lost", f"{NEVER_STARTED}: the disk is full")
    assert not did_harm(after)
