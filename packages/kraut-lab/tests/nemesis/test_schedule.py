"""Schedules come from their seed alone; a part of one keeps its times; shrinking keeps what matters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraut_lab.nemesis.fault import KINDS, OF_HOSTS
from kraut_lab.nemesis.packages import following
from kraut_lab.nemesis.schedule import make_schedule, only
from kraut_lab.nemesis.shrink import shrink
from kraut_lab.nemesis.witness import read_witness

SEATS = {kind.name: kind.seat for kind in KINDS}


@given(st.integers(0, 10**6), st.integers(1, 5), st.floats(0.1, 20))
def test_the_same_seed_gives_the_same_faults_and_none_outlasts_the_run(seed, hosts, minutes):
    faults = make_schedule(seed, hosts=hosts, minutes=minutes)
    assert faults == make_schedule(seed, hosts=hosts, minutes=minutes)
    assert [fault.number for fault in faults] == list(range(1, len(faults) + 1))
    for fault in faults:
        assert 0 < fault.at <= fault.at + fault.seconds <= minutes * 60 + 0.1
        if SEATS[fault.kind] in OF_HOSTS:
            assert 0 <= int(fault.target) < hosts


@given(st.integers(0, 10**6))
def test_of_one_seat_there_is_one_fault_at_a_time(seed):
    taken = {}
    for fault in make_schedule(seed, hosts=3, minutes=10):
        seat = SEATS[fault.kind], "" if SEATS[fault.kind] == "repository" else fault.target
        assert taken.get(seat, 0.0) <= fault.at + 0.1
        taken[seat] = fault.at + fault.seconds


def test_every_kind_of_fault_comes():
    drawn = {fault.kind for seed in range(5) for fault in make_schedule(seed, hosts=3, minutes=30)}
    assert drawn == set(SEATS)


def test_a_part_of_a_schedule_strikes_when_it_did():
    faults = make_schedule(1, hosts=2, minutes=5)
    assert only(faults, [3, 7]) == [faults[2], faults[6]]
    with pytest.raises(ValueError, match="999"):
        only(faults, [999])


@given(st.sets(st.integers(0, 40), min_size=1, max_size=4))
def test_shrinking_finds_what_is_needed(needed):
    assert set(shrink(range(41), lambda some: needed <= set(some))) == needed


def test_shrinking_keeps_all_when_nothing_less_shows_it():
    assert shrink([1, 2, 3], lambda some: len(some) == 3) == [1, 2, 3]


def test_versions_follow_each_other():
    assert following("1.9") == "1.10"


def test_a_witness_that_was_cut_off_tells_what_is_whole(tmp_path):
    file = tmp_path / "log"
    file.write_text("1.5 boot B1\n2.5 begin tool 1.1 B1 op-1\n3.5 end tool 1.1 B1 none\n4.5 reboot B1 op-2\n5.5 beg")
    assert read_witness(file, "h") == [
        {"t": 1.5, "what": "boot", "host": "h", "boot": "B1"},
        {"t": 2.5, "what": "effect", "phase": "begin", "package": "tool", "version": "1.1", "boot": "B1", "host": "h", "operation": "op-1"},
        {"t": 3.5, "what": "effect", "phase": "end", "package": "tool", "version": "1.1", "boot": "B1", "host": "h", "operation": ""},
        {"t": 4.5, "what": "reboot", "boot": "B1", "host": "h", "operation": "op-2"},
    ]  # fmt: skip
    assert read_witness(tmp_path / "absent", "h") == []
