import copy

import pytest
from sample import NOW, REFUSED

from kraut_cli.hosts.report import _STEPS, FOUND_AT_HOME, report_on
from kraut_core.api.v1alpha1.host import Host


def steps(reason):
    """What is said of each step when Ready is False for that reason."""
    item = copy.deepcopy(REFUSED)
    [ready] = [found for found in item["status"]["conditions"] if found["type"] == "Ready"]
    ready["reason"] = reason
    facts = dict(report_on(Host.model_validate(item), NOW).facts)
    return [facts[step.label] for step in _STEPS]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("ConnectionRefused", ["NO", "not known yet", "not known yet", "not known yet", "not known yet"]),
        ("AccountExpired", ["answers", "is the pinned one", "NO", "not known yet", "not known yet"]),
        ("SecretForbidden", ["not known yet", "not known yet", "NO", "not known yet", "not known yet"]),
        ("HostKeyInvalid", ["not known yet", "NO", "not known yet", "not known yet", "not known yet"]),
        ("MachineIdentityChanged", ["answers", "is the pinned one", "works", "can be had", "NO"]),
        ("Rebooting", ["not known yet"] * 5),
    ],
)
def test_a_reason_says_no_more_than_what_was_found_out(reason, said):
    assert steps(reason) == said


def test_what_is_found_at_home_belongs_to_a_step():
    assert {reason for step in _STEPS for reason in step.reasons} >= FOUND_AT_HOME
