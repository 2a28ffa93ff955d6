"""When the Lease may be taken; other machines' clocks do not matter."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kraut_operator.lease import (
    LeaseRecord,
    Sighting,
    lease_manifest,
    may_take,
    parse_lease,
    pause_seconds,
    released,
    see,
    taken,
)

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
HELD = LeaseRecord("other", 15, "2000-01-01T00:00:00.000000Z", "2000-01-01T00:00:00.000000Z", 4, "77")


@pytest.mark.parametrize(
    ("situation", "record", "silent", "may"),
    [
        ("does not exist", LeaseRecord(), 0.0, True),
        ("nobody holds it", replace(HELD, holder=""), 0.0, True),
        ("is mine", replace(HELD, holder="me"), 0.0, True),
        ("held, times long past by this machine's clock", HELD, 0.0, False),
        ("held, not renewed for a while", HELD, 14.9, False),
        ("held, not renewed for its duration", HELD, 15.0, True),
    ],
)
def test_the_lease_may_be_taken(situation: str, record: LeaseRecord, silent: float, may: bool) -> None:
    assert may_take(Sighting(record, since=100.0), "me", 100.0 + silent) is may, situation


def test_silence_counts_from_when_the_record_was_first_seen() -> None:
    first = see(HELD, None, 100.0)
    assert see(HELD, first, 110.0).since == 100.0
    assert see(replace(HELD, resource_version="78"), first, 110.0).since == 110.0


def test_taking_counts_a_transition_and_renewing_does_not() -> None:
    mine = taken(HELD, "me", 20, MOMENT)
    assert mine == LeaseRecord("me", 20, "2026-01-02T03:04:05.000006Z", "2026-01-02T03:04:05.000006Z", 5, "77")
    later = taken(mine, "me", 20, MOMENT.replace(minute=5))
    assert (later.acquired, later.renewed, later.transitions) == (mine.acquired, "2026-01-02T03:05:05.000006Z", 5)
    assert taken(LeaseRecord(), "me", 20, MOMENT).transitions == 0


def test_a_lease_survives_the_wire() -> None:
    manifest = lease_manifest(HELD, namespace="n", name="l")
    assert parse_lease(manifest) == HELD
    assert parse_lease({"metadata": {"name": "l", "resourceVersion": "1"}}) == LeaseRecord(resource_version="1")


@pytest.mark.parametrize(
    ("situation", "wanted", "left", "pause"),
    [
        ("not leading", 2.0, math.inf, 2.0),
        ("time enough", 2.0, 10.0, 2.0),
        ("a whole attempt must fit after it", 9.0, 10.0, 5.0),
        ("no whole attempt fits any more", 9.0, 4.0, 4.0),
        ("no time is left", 9.0, -1.0, 0.0),
    ],
)
def test_a_pause_is_no_longer_than_what_is_left_to_renew(
    situation: str, wanted: float, left: float, pause: float
) -> None:
    assert pause_seconds(wanted, left, attempt=5.0) == pause, situation


def test_a_released_lease_is_free_at_once() -> None:
    free = released(replace(HELD, holder="me"))
    assert may_take(Sighting(free, 0.0), "next", 0.0)
    assert lease_manifest(free, namespace="n", name="l")["spec"]["leaseDurationSeconds"] == 1
