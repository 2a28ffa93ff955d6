"""What the CLI reads out of a reason is what the worker means by it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from kraut_cli.hosts import report
from kraut_core import errors

ROOT = Path(__file__).resolve().parent.parent
WORKER = ROOT / "packages/kraut-worker/src/kraut_worker"
SOURCES = [*WORKER.glob("**/*.py"), *ROOT.glob("packages/kraut-core/src/**/*.py")]
TEXT = "".join(file.read_text() for file in SOURCES)

WAYS_TO_A_HOST = [*WORKER.glob("adapters/ssh/*.py"), WORKER / "activities/targets.py"]
"""Whatever these raise becomes the reason of a Host's Ready (activities/assess.py)."""


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
            yield ast.literal_eval(named[0]) if named else kind.default_reason


GIVEN = sorted({reason for file in WAYS_TO_A_HOST for reason in given(file)})


def test_there_are_reasons_to_know():
    assert {"AccountExpired", "AuthenticationFailed", "ConnectionLost", "SecretForbidden"} <= set(GIVEN)


@pytest.mark.parametrize("reason", GIVEN)
def test_a_reason_that_kraut_gives_is_one_that_host_test_knows(reason):
    assert any(reason in step.reasons for step in report._STEPS)


def test_a_reason_belongs_to_one_step():
    reasons = [reason for step in report._STEPS for reason in step.reasons]
    assert len(reasons) == len(set(reasons))
