"""Every check fails on what it is for, and on nothing else."""

import pytest

from kraut_core.api.conformance import assert_conformance, violations
from kraut_core.api.v1alpha1.host import Host
from kraut_core.api.v1alpha1.upgradepolicy import UpgradePolicy

NOON, LATER = "2026-01-31T12:00:00Z", "2026-01-31T12:05:00Z"


def condition(type_="Ready", status="True", **changes):
    return {
        "type": type_,
        "status": status,
        "observedGeneration": 2,
        "lastTransitionTime": NOON,
        "reason": "Succeeded",
        "message": "The host is reached.",
        **changes,
    }


def host(*conditions, uid="u-1", generation=2, **status):
    return Host.model_validate(
        {
            "kind": "Host",
            "metadata": {"name": "web-1", "namespace": "prod", "uid": uid, "generation": generation},
            "spec": {"address": "h", "credentialsRef": {"name": "a"}, "hostKeyPolicy": "TrustOnFirstUse"},
            "status": {"observedGeneration": 2, "conditions": list(conditions), **status},
        }
    )


GOOD = host(condition(), condition("Reconciling", reason="UpdatingPackages", message="Installing 7 updates."))


def numbers(found):
    return {sentence.split()[0] for sentence in found}


def test_a_good_status_conforms():
    assert violations(GOOD) == []
    assert violations(host(condition(status="False"), condition("Stalled"))) == []
    assert violations(GOOD, GOOD) == []
    assert_conformance(GOOD, GOOD)


def test_an_object_that_was_never_seen_conforms():
    assert violations(GOOD.model_copy(update={"status": None})) == []


@pytest.mark.parametrize(
    ("number", "bad"),
    [
        ("C1", host(condition("UpToDate"))),
        ("C2", host(condition(), condition("Reconciling", "False"))),
        ("C2", host(condition("Ready", "False"), condition("Stalled", "Unknown"))),
        ("C3", host(condition("Ready", "False"), condition("Reconciling"), condition("Stalled"))),
        ("C4", host(condition(), condition("Stalled", observedGeneration=1))),
        ("C5", host(condition(), condition("UpToDate"), condition("UpToDate", "False"))),
        ("C6", host(condition(), generation=1)),
        ("C6", host(condition(observedGeneration=3), generation=3)),
        ("C7", host(condition(reason="not_camel"))),
        ("C8", host(condition(message=""))),
        ("C8", host(condition(message="two\nlines here"))),
        ("C8", host(condition(message="Unreachable"))),
        ("C8", host(condition(message="word " * 300 + "end"))),
        ("C9", host(condition(message="login with password=hunter2 failed"))),
        ("C9", host(condition(), workflowID="-----BEGIN OPENSSH PRIVATE KEY-----\nb3")),
    ],
)
def test_a_bad_status_fails_its_check(number, bad):
    assert numbers(violations(bad)) == {number}


@pytest.mark.parametrize(
    ("number", "after"),
    [
        ("C10", host(condition(lastTransitionTime=LATER))),
        ("C10", host(condition(status="False", lastTransitionTime="2026-01-31T11:00:00Z"))),
        ("C11", host(condition(observedGeneration=1), observedGeneration=1)),
    ],
)
def test_a_bad_step_fails_its_check(number, after):
    assert numbers(violations(after, host(condition()))) == {number}


def test_a_change_moves_the_time_and_another_object_starts_anew():
    assert violations(host(condition(status="False", lastTransitionTime=LATER)), host(condition())) == []
    again = host(condition(observedGeneration=1), uid="u-2", generation=1, observedGeneration=1)
    assert violations(again, host(condition())) == []


def test_assertion_lists_everything_at_once():
    with pytest.raises(AssertionError, match=r"prod/web-1(?s:.*)C7(?s:.*)C8"):
        assert_conformance(host(condition(reason="x", message="")))


def test_a_kind_without_conditions_is_refused():
    policy = UpgradePolicy.model_validate(
        {"kind": "UpgradePolicy", "metadata": {"name": "a"}, "spec": {}, "status": {}}
    )
    with pytest.raises(TypeError, match="UpgradePolicy"):
        violations(policy)
