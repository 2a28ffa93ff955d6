"""What the CLI reads out of a reason is what the worker means by it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from kraut_cli.hosts import report
from kraut_core import errors
from kraut_worker.planning import verdicts

ROOT = Path(__file__).resolve().parent.parent
WORKER = ROOT / "packages/kraut-worker/src/kraut_worker"
SOURCES = [*WORKER.glob("**/*.py"), *ROOT.glob("packages/kraut-core/src/**/*.py")]
TEXT = "".join(file.read_text() for file in SOURCES)

WAYS_TO_A_HOST = [*WORKER.glob("adapters/ssh/*.py"), WORKER / "activities/targets.py"]
"""Whatever these raise becomes the reason of a Host's Ready (activities/assess.py), but for ``NOT_OF_A_WAY``."""

NOT_OF_A_WAY = {verdicts.UPGRADE_POLICY_FORBIDDEN, verdicts.UPGRADE_POLICY_INVALID}
"""A Host whose policy cannot be read is looked at all the same: it is Ready, and Stalled."""


@pytest.mark.parametrize("reason", sorted(reason for step in report._STEPS for reason in step.reasons))
def test_a_reason_that_host_test_knows_is_one_that_kraut_gives(reason):
    assert f'"{reason}"' in TEXT


def given(file: Path) -> Iterator[str]:
    """The reason of every error of kraut's that is made in a file."""
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        kind = getattr(errors, node.func.id, None)
        if isinstance(kind, type) and issubclass(kind, errors.KrautError):
            named = [keyword.value for keyword in node.keywords if keyword.arg == "reason"]
            yield text(named[0]) if named else kind.default_reason


def text(node: ast.expr) -> str:
    """A reason as it is written: by itself, or as one of the planner's."""
    return getattr(verdicts, node.attr) if isinstance(node, ast.Attribute) else ast.literal_eval(node)


GIVEN = sorted({reason for file in WAYS_TO_A_HOST for reason in given(file)} - NOT_OF_A_WAY)


def test_there_are_reasons_to_know():
    assert {"AccountExpired", "AuthenticationFailed", "ConnectionLost", "SecretForbidden"} <= set(GIVEN)


@pytest.mark.parametrize("reason", GIVEN)
def test_a_reason_that_kraut_gives_is_one_that_host_test_knows(reason):
    assert any(reason in step.reasons for step in report._STEPS)


def test_a_reason_belongs_to_one_step():
    reasons = [reason for step in report._STEPS for reason in step.reasons]
    assert len(reasons) == len(set(reasons))
