"""Events: what is told of the way from one status to the next."""

from datetime import timedelta

import pytest

from kraut_core.api.conditions import READY, STALLED, Verdict, set_conditions
from kraut_core.api.v1alpha1.host import HostStatus
from kraut_worker.planning.events import notes_between
from kraut_worker.testing.scenes import NOW, make_operation

REACHABLE = Verdict(READY, "True", "Reachable", "Debian answers as root")
AWAY = Verdict(READY, "Unknown", "Unreachable", "no answer")
REBOOTING = Verdict(READY, "Unknown", "Rebooting", "waiting for the host to come back")
MISMATCH = Verdict(READY, "False", "HostKeyMismatch", "another key")
MISMATCH_STALLED = Verdict(STALLED, "True", "HostKeyMismatch", "another key")
GAVE_UP = Verdict(STALLED, "True", "BackoffLimitExceeded", "seven failures")


def status(*verdicts, operations=()):
    return HostStatus(conditions=set_conditions([], verdicts, generation=1, now=NOW), operations=list(operations))


RUNNING = make_operation()
DONE = make_operation("Succeeded", began=NOW - timedelta(seconds=90))
LEFT = make_operation("Succeeded", began=NOW - timedelta(seconds=90), message="still pending: 2 updates")
FAILED = make_operation("Failed", began=NOW - timedelta(seconds=90), message="the disk is full")
LOST_REBOOT = make_operation("Lost", type_="Reboot", began=NOW - timedelta(seconds=1), message="it never started")

CASES = [
    ("first contact -> Reachable", None, status(REACHABLE), [("Normal", "Reachable", "Probe", "Debian answers")]),
    ("nothing changed -> silence", status(REACHABLE), status(REACHABLE), []),
    ("it went away -> Warning", status(REACHABLE), status(AWAY), [("Warning", "Unreachable", "Probe", "no answer")]),
    (
        "it reboots as it was told -> no Warning",
        status(REACHABLE),
        status(REBOOTING),
        [("Normal", "Rebooting", "Probe", "come back")],
    ),
    (
        "it came back -> Reachable",
        status(REBOOTING),
        status(REACHABLE),
        [("Normal", "Reachable", "Probe", "Debian answers")],
    ),
    (
        "another key -> one Warning, not two of the same",
        status(REACHABLE),
        status(MISMATCH, MISMATCH_STALLED),
        [("Warning", "HostKeyMismatch", "Probe", "another key")],
    ),
    (
        "given up -> Warning",
        status(REACHABLE),
        status(REACHABLE, GAVE_UP),
        [("Warning", "BackoffLimitExceeded", "Plan", "seven failures")],
    ),
    ("still given up -> silence", status(REACHABLE, GAVE_UP), status(REACHABLE, GAVE_UP), []),
    (
        "an operation was decided -> started",
        status(REACHABLE),
        status(REACHABLE, operations=[RUNNING]),
        [("Normal", "UpdateStarted", "UpdatePackages", "op-1")],
    ),
    ("it goes on -> silence", status(REACHABLE, operations=[RUNNING]), status(REACHABLE, operations=[RUNNING]), []),
    (
        "it succeeded -> with its duration",
        status(REACHABLE, operations=[RUNNING]),
        status(REACHABLE, operations=[DONE]),
        [("Normal", "UpdateSucceeded", "UpdatePackages", "succeeded after 90 s")],
    ),
    (
        "it succeeded and left something -> says what",
        status(REACHABLE, operations=[RUNNING]),
        status(REACHABLE, operations=[LEFT]),
        [("Normal", "UpdateSucceeded", "UpdatePackages", "90 s; still pending: 2 updates")],
    ),
    (
        "it failed -> Warning with the cause",
        status(REACHABLE, operations=[RUNNING]),
        status(REACHABLE, operations=[FAILED]),
        [("Warning", "UpdateFailed", "UpdatePackages", "the disk is full")],
    ),
    (
        "decided and lost between two looks -> both, in their order",
        status(REACHABLE),
        status(REACHABLE, operations=[LOST_REBOOT]),
        [
            ("Normal", "RebootStarted", "Reboot", "op-1"),
            ("Warning", "RebootFailed", "Reboot", "it never started"),
        ],
    ),
    (
        "given up as lost and seen running -> nothing yet; its end will be told",
        status(REACHABLE, operations=[make_operation("Lost")]),
        status(REACHABLE, operations=[RUNNING]),
        [],
    ),
]


@pytest.mark.parametrize(("before", "after", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_notes(before, after, expected):
    notes = notes_between(before, after)
    assert [(note.type, note.reason, note.action) for note in notes] == [case[:3] for case in expected]
    for note, (*_, words) in zip(notes, expected, strict=True):
        assert words in note.message


def test_the_same_failure_again_is_the_same_event():
    """Of a repository that is down for days: the API server counts one Event up instead of keeping thousands."""

    def tried_again(id_):
        earlier = make_operation("Failed", id_="earlier", exit_code=11, message="no repository")
        running, failed = (
            make_operation(id_=id_),
            make_operation("Failed", id_=id_, exit_code=11, message="no repository"),
        )
        before, during, after = ([earlier], [running, earlier], [failed, earlier])
        return [
            *notes_between(status(REACHABLE, operations=before), status(REACHABLE, operations=during)),
            *notes_between(status(REACHABLE, operations=during), status(REACHABLE, operations=after)),
        ]

    assert [note.reason for note in tried_again("first")] == ["UpdateStarted", "UpdateFailed"]
    assert tried_again("first") == tried_again("second")
