"""I8: no workflow is stuck."""

from __future__ import annotations

from typing import Final

from kraut_lab.nemesis.checks.violation import Violation
from kraut_lab.nemesis.history import History

_GOOD: Final = ("_RUNNING", "_COMPLETED", "_CONTINUED_AS_NEW")
_HARMLESS: Final = frozenset(
    {
        # A signal came while the workflow was about to end or to go on as new: it decides again.
        "WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND",
        # The worker said so itself when it was told to stop, or its cache let go.
        "WORKFLOW_TASK_FAILED_CAUSE_RESET_STICKY_TASK_QUEUE",
        "WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND",
    }
)
_STOOD_STILL: Final = frozenset({"TMPRL1101"})
"""Harmless where a worker was stopped (SIGSTOP): the task is tried again."""
PATIENT_ATTEMPTS: Final = 3


def check_workflows(history: History) -> list[Violation]:
    """How every run of every workflow ended, and what it waits for."""
    found = []
    stopped = any(history.of("fault", kind="worker-stop", phase="begin"))
    harmless = _HARMLESS | _STOOD_STILL if stopped else _HARMLESS
    for event in history.of("workflow"):
        name = f"{event['id']} ({event['run']})"
        if not event["status"].endswith(_GOOD):
            found.append(Violation("I8", f"{name} should run or be completed, it is {event['status']}"))
        causes = set(event["taskFailures"]) - harmless
        if causes:
            found.append(Violation("I8", f"{name}: workflow tasks failed: {sorted(causes)}"))
        if event["pendingTaskAttempt"] > PATIENT_ATTEMPTS:
            found.append(
                Violation("I8", f"{name}: its workflow task is tried for the {event['pendingTaskAttempt']}th time")
            )
        if event["status"].endswith("_RUNNING"):
            stuck = [p for p in event["pendingActivities"] if p["attempt"] > PATIENT_ATTEMPTS]
            if stuck:
                found.append(Violation("I8", f"{name}: activities are tried again and again: {stuck}"))
    return found
