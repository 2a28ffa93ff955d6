"""The shared budget: who may be disrupted, counted over everybody (I5)."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraut_core.api.conditions import READY, RECONCILING
from kraut_core.api.meta import Condition, ObjectMeta
from kraut_core.api.v1alpha1.host import HostStatus
from kraut_core.api.v1alpha1.upgradepolicy import (
    Reservation,
    RollingUpdate,
    UpgradePolicy,
    UpgradePolicySpec,
    UpgradePolicyStatus,
)
from kraut_worker.planning.budget import MOST, Denied, Granted, max_unavailable, occupy, release, reserve, waiting
from kraut_worker.testing.scenes import NOW, make_host, make_operation


def ready(status="True", *, since=NOW - timedelta(hours=1)):
    return HostStatus(
        conditions=[Condition(type=READY, status=status, reason="Reachable", message="", last_transition_time=since)]
    )


def fleet(count, *, away=(), new=()):
    """Hosts web-1 … web-n; those in ``away`` do not answer, those in ``new`` were never seen."""
    names = [f"web-{number}" for number in range(1, count + 1)]
    return [
        make_host(name=name, status=None if name in new else ready("Unknown" if name in away else "True"))
        for name in names
    ]


def holder(name):
    return Reservation(name=name, uid=f"uid-{name}", since=NOW - timedelta(minutes=5))


def policy(limit=1, *, held=(), min_ready_seconds=0):
    return UpgradePolicy(
        metadata=ObjectMeta(name="gentle", namespace="lab"),
        spec=UpgradePolicySpec(
            rolling_update=RollingUpdate(max_unavailable=limit), min_ready_seconds=min_ready_seconds
        ),
        status=UpgradePolicyStatus(reservations=[holder(name) for name in held]),
    )


def names(reservations):
    return [reservation.name for reservation in reservations]


@pytest.mark.parametrize(
    ("sentence", "limit", "total", "expected"),
    [
        ("a count is itself", 3, 10, 3),
        ("a count may exceed the hosts", 30, 10, 30),
        ("zero allows none", 0, 10, 0),
        ("25% of 10 is rounded down", "25%", 10, 2),
        ("25% of 3 is still one", "25%", 3, 1),
        ("1% of 1 is one", "1%", 1, 1),
        ("0% allows none", "0%", 10, 0),
        ("100% is all", "100%", 7, 7),
        ("99% of 100 is exact", "99%", 100, 99),
        ("29% of 100 is exact: no floating point", "29%", 100, 29),
    ],
)
def test_max_unavailable(sentence, limit, total, expected):
    assert max_unavailable(limit, total) == expected, sentence


GRANTS = [
    ("nobody is away, budget 1 -> granted", policy(1), fleet(3), True),
    ("one is being worked on, budget 1 -> denied", policy(1, held=["web-2"]), fleet(3), False),
    ("one is being worked on, budget 2 -> granted", policy(2, held=["web-2"]), fleet(3), True),
    ("one does not answer, budget 1 -> denied: unavailable is unavailable", policy(1), fleet(3, away=["web-3"]), False),
    ("one was never seen, budget 1 -> denied", policy(1), fleet(3, new=["web-3"]), False),
    (
        "one is worked on and does not answer, budget 2 -> granted: it is one, not two",
        policy(2, held=["web-2"]),
        fleet(3, away=["web-2"]),
        True,
    ),
    (
        "it does not answer itself, budget 1 -> granted: its own absence is no reason",
        policy(1),
        fleet(3, away=["web-1"]),
        True,
    ),
    (
        "it has a place, budget 0 by now -> granted: work in flight is finished",
        policy(0, held=["web-1"]),
        fleet(3),
        True,
    ),
    ("budget 0 -> denied", policy(0), fleet(3), False),
    ("the holder is gone, budget 1 -> granted: its place died with it", policy(1, held=["web-9"]), fleet(3), True),
    ("it is alone, 10% -> granted", policy("10%"), fleet(1), True),
]


@pytest.mark.parametrize(
    ("policy", "sharing", "granted"), [case[1:] for case in GRANTS], ids=[case[0] for case in GRANTS]
)
def test_reserve(policy, sharing, granted):
    outcome = reserve(policy, sharing, sharing[0], NOW, 1)
    assert isinstance(outcome, Granted if granted else Denied)
    if isinstance(outcome, Granted):
        assert names(outcome.reservations).count("web-1") == 1
        assert "web-9" not in names(outcome.reservations)


def test_a_place_keeps_the_time_it_was_granted():
    outcome = reserve(policy(1, held=["web-1"]), fleet(2), fleet(2)[0], NOW + timedelta(hours=1), 1)
    assert outcome == Granted((holder("web-1").model_copy(update={"fencing_token": 1}),))


def test_who_slept_since_an_older_decision_gives_nothing_back():
    """A worker stopped between its status and its give-back: meanwhile the place was renewed for the next operation."""
    asking = fleet(2)[0]
    renewed = reserve(policy(1, held=["web-1"]), fleet(2), asking, NOW, 7)
    held = policy(1).model_copy(update={"status": UpgradePolicyStatus(reservations=list(renewed.reservations))})
    assert release(held, fleet(2), asking.metadata.uid, 6) is None
    assert release(held, fleet(2), asking.metadata.uid, 7) == ()


def test_a_host_of_the_same_name_and_another_uid_holds_nothing():
    again = make_host(name="web-2", uid="uid-of-the-second", status=ready())
    sharing = [fleet(1)[0], again]
    assert names(reserve(policy(1, held=["web-2"]), sharing, sharing[0], NOW, 1).reservations) == ["web-1"]


@pytest.mark.parametrize(("back_for", "granted"), [(59, False), (60, True)])
def test_a_host_counts_as_available_when_ready_for_min_ready_seconds(back_for, granted):
    back = make_host(name="web-2", status=ready(since=NOW - timedelta(seconds=back_for)))
    outcome = reserve(policy(1, min_ready_seconds=60), [*fleet(1), back], fleet(1)[0], NOW, 1)
    assert isinstance(outcome, Granted) == granted


@pytest.mark.parametrize(("ahead", "granted"), [(timedelta(seconds=30), False), (timedelta(hours=5), True)])
def test_a_host_that_became_ready_in_the_future_is_available_unless_clocks_differ_so_little(ahead, granted):
    back = make_host(name="web-2", status=ready(since=NOW + ahead))
    outcome = reserve(policy(1), [*fleet(1), back], fleet(1)[0], NOW, 1)
    assert isinstance(outcome, Granted) == granted


def waiter(name, *, reconciling, reason="WaitingForBudget", other=timedelta(days=9), ended=None):
    """Times are ages; ``ended`` is that of its last operation."""
    ages = {RECONCILING: ("True", reason, reconciling), READY: ("True", "Reachable", other)}
    conditions = [
        Condition(type=type_, status=status, reason=why, message="", last_transition_time=NOW - age)
        for type_, (status, why, age) in ages.items()
    ]
    operations = [] if ended is None else [make_operation("Failed", began=NOW - ended, ended=NOW - ended, exit_code=10)]
    return make_host(name=name, status=HostStatus(conditions=conditions, operations=operations))


def test_who_waits_longest_for_a_place_is_woken_first():
    """Reconciling stands for days at a host that failed or was away all that time, and has waited for a minute."""
    days, hour, minute = timedelta(days=2), timedelta(hours=1), timedelta(minutes=1)
    sharing = [
        make_host(name="new"),
        waiter("failing", reconciling=days, ended=minute),
        waiter("back", reconciling=days, other=2 * minute),
        waiter("busy", reconciling=days, reason="UpdatingPackages"),
        waiter("patient", reconciling=hour),
        waiter("latest", reconciling=timedelta(seconds=5)),
    ]
    assert [host.metadata.name for host in waiting(sharing)] == ["patient", "back", "failing", "latest"]


@pytest.mark.parametrize(
    ("sentence", "policy", "sharing", "words"),
    [
        ("says that nothing may start", policy(0), fleet(2), "maxUnavailable 0"),
        ("names whom it waits for", policy(1, held=["web-2"]), fleet(2), "waiting for web-2"),
        (
            "names five and counts the others",
            policy(1),
            fleet(9, away=[f"web-{n}" for n in range(2, 10)]),
            "waiting for web-2, web-3, web-4, web-5, web-6 and 3 more",
        ),
    ],
)
def test_who_is_denied_is_told_why(sentence, policy, sharing, words):
    outcome = reserve(policy, sharing, sharing[0], NOW, 1)
    assert words in outcome.message, sentence
    assert outcome.sharing == len(sharing)


def test_release_takes_the_place_and_those_of_hosts_that_are_gone():
    assert names(release(policy(3, held=["web-1", "web-2", "web-9"]), fleet(3), "uid-web-1", 1)) == ["web-2"]


def test_release_of_nothing_changes_nothing():
    assert release(policy(3, held=["web-2"]), fleet(3), "uid-web-1", 1) is None


def test_who_is_being_disrupted_occupies_a_place_even_without_budget():
    held = occupy(policy(1, held=["web-2"]), fleet(3), fleet(3)[0], NOW, 1)
    assert names(held.reservations) == ["web-2", "web-1"]
    again = policy(1, held=names(held.reservations))
    assert names(occupy(again, fleet(3), fleet(3)[0], NOW, 1).reservations) == ["web-2", "web-1"]


def test_a_status_never_holds_more_places_than_its_schema_allows():
    sharing = fleet(MOST + 2)
    crowded = policy("100%", held=[host.metadata.name for host in sharing[1 : MOST + 1]])
    assert isinstance(reserve(crowded, sharing, sharing[0], NOW, 1), Denied)
    assert len(occupy(crowded, sharing, sharing[0], NOW, 1).reservations) == MOST


@given(
    st.integers(min_value=1, max_value=12).flatmap(
        lambda count: st.tuples(
            st.just(count),
            st.sets(st.integers(min_value=1, max_value=count)),
            st.one_of(st.integers(0, 12), st.integers(0, 100).map("{}%".format)),
            st.permutations(range(1, count + 1)),
        )
    )
)
def test_never_more_are_away_or_worked_on_than_allowed_whoever_asks_in_whatever_order(asked):
    """I5 over a whole fleet: grants are written down one after the other, as the resourceVersion enforces."""
    count, away, limit, order = asked
    sharing = fleet(count, away={f"web-{number}" for number in away})
    allowed = max_unavailable(limit, count)
    current = policy(limit)
    for number in order:
        outcome = reserve(current, sharing, sharing[number - 1], NOW, 1)
        if isinstance(outcome, Granted):
            current = policy(limit, held=names(outcome.reservations))
    worked_on = {reservation.name for reservation in current.status.reservations}
    unavailable = worked_on | {f"web-{number}" for number in away}
    assert not worked_on or len(unavailable) <= allowed
    if len(away) < allowed:
        assert len(unavailable) == min(allowed, count)
