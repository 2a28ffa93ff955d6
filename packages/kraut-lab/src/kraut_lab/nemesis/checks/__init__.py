"""The checker: pure functions over a history, which know of kraut what its users know, and nothing of its code."""

from __future__ import annotations

from typing import Final

from kraut_lab.nemesis.checks.bounds import check_bounds
from kraut_lab.nemesis.checks.budget import check_budget
from kraut_lab.nemesis.checks.convergence import check_convergence
from kraut_lab.nemesis.checks.deletion import check_deletion
from kraut_lab.nemesis.checks.effects import check_effects, check_one_at_a_time
from kraut_lab.nemesis.checks.outcomes import check_outcomes
from kraut_lab.nemesis.checks.reboots import check_reboots
from kraut_lab.nemesis.checks.status import check_status
from kraut_lab.nemesis.checks.violation import Violation
from kraut_lab.nemesis.checks.workflows import check_workflows
from kraut_lab.nemesis.history import History

CHECKS: Final = (
    check_convergence,
    check_effects,
    check_one_at_a_time,
    check_budget,
    check_workflows,
    check_status,
    check_outcomes,
    check_reboots,
    check_deletion,
    check_bounds,
)

__all__ = ["Violation", "check"]


def check(history: History) -> list[Violation]:
    """Everything about a history that must not be."""
    return [violation for one in CHECKS for violation in one(history)]
