"""What the CLI reads out of a reason is what the worker means by it."""

from pathlib import Path

import pytest

from kraut_cli.hosts import report

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [*ROOT.glob("packages/kraut-worker/src/**/*.py"), *ROOT.glob("packages/kraut-core/src/**/*.py")]
TEXT = "".join(file.read_text() for file in SOURCES)


@pytest.mark.parametrize("reason", sorted(reason for step in report._STEPS for reason in step.reasons))
def test_a_reason_that_host_test_knows_is_one_that_kraut_gives(reason):
    assert f'"{reason}"' in TEXT


def test_a_reason_belongs_to_one_step():
    reasons = [reason for step in report._STEPS for reason in step.reasons]
    assert len(reasons) == len(set(reasons))
