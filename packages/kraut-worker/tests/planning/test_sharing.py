"""Who counts among those that share a policy, whatever of it this version can read (U6)."""

import pytest

from kraut_core.api.meta import ObjectMeta
from kraut_core.api.v1alpha1.host import Host
from kraut_core.api.v1alpha1.upgradepolicy import Reservation, UpgradePolicy, UpgradePolicySpec, UpgradePolicyStatus
from kraut_worker.planning.budget import Denied, Granted, live_reservations, release, reserve
from kraut_worker.planning.sharing import Sharing, UnreadableHost, read_unreadable
from kraut_worker.testing.scenes import NOW, make_host

NEXT = {"drain": {"before": "Reboot"}}
"""A field that the model does not know."""


def manifest(name, *, policy="gentle", **spec):
    host = make_host(name=name, upgrade_policy_ref={"name": policy} if policy else None)
    found = host.model_dump(mode="json", by_alias=True, exclude_none=True)
    found["spec"] |= spec
    return found


def policy(*held):
    reservations = [Reservation(name=name, uid=f"uid-{name}", since=NOW, fencing_token=7) for name in held]
    return UpgradePolicy(
        metadata=ObjectMeta(name="gentle", namespace="lab"),
        spec=UpgradePolicySpec(),
        status=UpgradePolicyStatus(reservations=reservations),
    )


def sharers(manifests, policy):
    sharing = Sharing(policy)
    return [sharer for found in manifests if (sharer := sharing.read(found)) is not None]


@pytest.mark.parametrize(
    ("sentence", "found", "held", "kind"),
    [
        ("names the policy -> shares it", manifest("web-1"), [], Host),
        ("names another -> does not", manifest("web-1", policy="other"), [], None),
        ("names none -> does not", manifest("web-1", policy=""), [], None),
        (
            "named it when it took a place, and another now -> does not",
            manifest("web-1", policy="other"),
            ["web-1"],
            None,
        ),
        ("cannot be read, names the policy -> shares it", manifest("web-1", **NEXT), [], UnreadableHost),
        ("cannot be read, names another -> does not", manifest("web-1", policy="other", **NEXT), [], None),
        ("cannot be read, holds a place -> shares it", manifest("web-1", policy="", **NEXT), ["web-1"], UnreadableHost),
        (
            "says in a new way which policy it has, and holds a place -> shares it",
            manifest("web-1", upgradePolicyRef=["gentle"]),
            ["web-1"],
            UnreadableHost,
        ),
    ],
)
def test_who_shares(sentence, found, held, kind):
    assert [type(sharer) for sharer in sharers([found], policy(*held))] == ([kind] if kind else []), sentence


def test_a_host_that_cannot_be_read_keeps_its_place():
    gentle = policy("web-1")
    sharing = sharers([manifest("web-1", **NEXT), manifest("web-2")], gentle)
    assert [held.name for held in live_reservations(gentle, sharing)] == ["web-1"]
    outcome = reserve(gentle, sharing, make_host(name="web-2"), NOW, 1)
    assert isinstance(outcome, Denied)
    assert "waiting for web-1" in outcome.message
    assert release(gentle, sharing, "uid-web-2", 9) is None


def test_a_host_that_cannot_be_read_counts_as_unavailable():
    sharing = sharers([manifest("web-1", **NEXT), manifest("web-2")], policy())
    assert isinstance(reserve(policy(), sharing, make_host(name="web-2"), NOW, 1), Denied)
    alone = sharers([manifest("web-2")], policy())
    assert isinstance(reserve(policy(), alone, make_host(name="web-2"), NOW, 1), Granted)


@pytest.mark.parametrize("spec", [None, {}, {"upgradePolicyRef": "gentle"}, {"upgradePolicyRef": {"name": 7}}, ["new"]])
def test_as_much_is_read_as_can_be(spec):
    host = read_unreadable(
        {"metadata": {"name": "web-1", "uid": "u-1", "finalizers": ["kraut.dev/host"]}, "spec": spec}
    )
    assert (host.metadata.uid, host.metadata.finalizers, host.spec.upgrade_policy_ref) == (
        "u-1",
        ["kraut.dev/host"],
        None,
    )
