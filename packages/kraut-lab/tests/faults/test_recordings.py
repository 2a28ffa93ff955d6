"""The checks find what is wrong: a check that cannot fail proves nothing."""

from kraut_lab.faults.recordings import (
    Operation,
    deleted_twice,
    going_back,
    not_last,
    over_budget,
    overlapping,
    repeated,
)


def version(number: int, generation: int, observed: int | None, *, uid: str = "u") -> dict:
    status = {} if observed is None else {"observedGeneration": observed}
    metadata = {"name": "h", "uid": uid, "resourceVersion": str(number), "generation": generation}
    return {"metadata": metadata, "status": status}


def events(*versions: dict) -> list:
    return [("MODIFIED", found) for found in versions]


def test_an_observed_generation_that_falls_or_runs_ahead_is_found() -> None:
    good = events(version(1, 1, None), version(2, 1, 1), version(3, 2, 1), version(4, 2, 2), version(5, 1, 1, uid="v"))
    assert going_back(good) == []
    falling = events(version(1, 2, 2), version(2, 2, 1), version(3, 2, 2))
    assert going_back(falling) == ["h at 2: observedGeneration 1 after 2"]
    assert going_back(falling, foreign=["2"]) == []
    carried_on = events(version(1, 2, 2), version(2, 2, 1), version(3, 3, 1), version(4, 3, 3))
    assert going_back(carried_on, foreign=["2"]) == []
    assert going_back(events(version(1, 1, 2))) == ["h at 1: observedGeneration 2 of generation 1"]


def test_what_happened_twice_is_found() -> None:
    assert repeated([("a", "1"), ("a", "2"), ("b", "1")]) == []
    assert repeated([("a", "1"), ("b", "1"), ("a", "1")]) == ["('a', '1') happened 2 times"]


def test_operations_at_the_same_time_are_found() -> None:
    first, second = Operation("one", 10, 20), Operation("two", 20, 30)
    assert overlapping([second, first]) == []
    assert overlapping([first, Operation("two", 19, 30)]) == ["two began at 19 while one ran (until 20)"]
    assert overlapping([Operation("one", 10, 0), second]) == ["two began at 20 while one ran (until now)"]


def test_a_status_of_an_earlier_generation_is_found() -> None:
    assert not_last(version(1, 3, 3)) == []
    assert not_last(version(1, 3, 2)) == ["observedGeneration is 2, the generation 3"]


def test_what_comes_after_the_end_of_an_object_is_found() -> None:
    gone = ("DELETED", version(2, 1, 1))
    assert deleted_twice([*events(version(1, 1, 1)), gone, *events(version(3, 1, 1, uid="v"))]) == []
    assert deleted_twice([gone, gone]) == ["DELETED of h (u) after it was deleted"]


def test_a_place_too_many_is_found() -> None:
    assert over_budget([frozenset(), frozenset({"a"})], 1) == []
    assert over_budget([frozenset({"a", "b"})], 1) == ["2 places held of 1: ['a', 'b']"]
