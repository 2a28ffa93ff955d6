"""Which keys are public, over several API servers and time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraut_core.identity.jwks import JwksError, PublicJwk
from kraut_oidc_proxy.keyring import KeyRing


def key(kid, value="1"):
    return PublicJwk(kid, "EC", "ES256", (("x", value),))


OLD, NEW = key("old"), key("new")


def ring(retain=0, max_stale=100):
    return KeyRing(retain_seconds=retain, max_stale_seconds=max_stale)


def kids(found):
    return [key.kid for key in found]


def test_before_any_answer_there_is_nothing():
    assert ring().current(0) == ()


def test_keys_of_all_servers_are_public():
    found = ring()
    found.observe("a", [OLD], 0)
    found.observe("b", [OLD, NEW], 0)
    assert kids(found.current(0)) == ["new", "old"]


def test_a_key_that_is_gone_everywhere_is_withdrawn():
    found = ring()
    found.observe("a", [OLD, NEW], 0)
    found.observe("b", [OLD, NEW], 0)
    found.observe("a", [NEW], 1)
    assert kids(found.current(1)) == ["new", "old"]
    found.observe("b", [NEW], 2)
    assert kids(found.current(2)) == ["new"]


def test_servers_that_answer_in_turn_at_one_address_do_not_make_keys_come_and_go():
    found = ring(retain=60)
    for now in range(0, 600, 30):
        found.observe("", [OLD] if now % 60 else [NEW], now)
        assert kids(found.current(now)) == (["new", "old"] if now else ["new"])
    found.observe("", [NEW], 630)
    found.observe("", [NEW], 660)
    assert kids(found.current(660)) == ["new"]


@pytest.mark.parametrize("still", [600, 3600])
def test_after_a_standstill_a_key_of_another_server_at_the_address_stays_until_it_is_missed(still):
    found = KeyRing(retain_seconds=120, max_stale_seconds=86_400, usual_seconds=43)
    found.observe("", [OLD, NEW], 0)
    found.observe("", [OLD], still)
    assert kids(found.current(still)) == ["new", "old"]
    for now in range(still + 30, still + 181, 30):
        found.observe("", [OLD], now)
    assert kids(found.current(now)) == ["old"]


@given(st.lists(st.floats(0.1, 43), min_size=1, max_size=40))
def test_answers_that_come_as_usual_withdraw_a_key_in_time(gaps):
    found, now = KeyRing(retain_seconds=120, max_stale_seconds=86_400, usual_seconds=43), 0.0
    found.observe("", [OLD, NEW], now)
    for gap in gaps:
        now += gap
        found.observe("", [OLD], now)
        assert ("new" in kids(found.current(now))) == (now <= 120)


def test_what_is_too_old_to_be_served_does_not_come_back():
    found = KeyRing(retain_seconds=120, max_stale_seconds=1000, usual_seconds=43)
    found.observe("", [OLD, NEW], 0)
    assert found.current(1001) == ()
    found.observe("", [OLD], 1001)
    assert kids(found.current(1001)) == ["old"]


def test_a_key_that_is_not_retained_goes_with_the_first_answer_without_it():
    found = KeyRing(retain_seconds=0, max_stale_seconds=86_400, usual_seconds=43)
    found.observe("", [OLD, NEW], 0)
    found.observe("", [OLD], 600)
    assert kids(found.current(600)) == ["old"]


def test_a_server_that_does_not_answer_keeps_its_keys_public_for_a_while():
    found = ring(max_stale=100)
    found.observe("a", [OLD], 0)
    assert kids(found.current(100)) == ["old"]
    assert found.current(101) == ()
    found.observe("a", [NEW], 102)
    assert kids(found.current(102)) == ["new"]


def test_another_issuers_server_is_forgotten_at_once():
    found = ring()
    found.observe("a", [OLD], 0)
    found.observe("b", [NEW], 0)
    found.forget("b")
    found.forget("never seen")
    assert kids(found.current(0)) == ["old"]


def test_one_key_id_for_two_keys_is_refused_and_the_first_stays():
    found = ring()
    found.observe("a", [OLD], 0)
    with pytest.raises(JwksError, match="two different keys"):
        found.observe("b", [key("old", "2")], 1)
    assert found.current(1) == (OLD,)


STEPS = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.sets(st.sampled_from("xyz")).filter(bool), st.integers(0, 50)),
    max_size=20,
)


@given(STEPS, st.integers(0, 120), st.integers(0, 200))
def test_what_a_server_shows_now_is_public_now_and_nothing_older_than_allowed(steps, retain, later):
    found, now, seen = ring(retain=retain), 0, {}
    for server, names, passed in steps:
        now += passed
        found.observe(server, [key(name) for name in names], now)
        seen |= dict.fromkeys(names, now)
        assert names <= set(kids(found.current(now)))
    for name in kids(found.current(now + later)):
        assert now + later - seen[name] <= retain + 100
