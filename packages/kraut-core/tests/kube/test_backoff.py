"""How long a failing watch waits."""

from hypothesis import given
from hypothesis import strategies as st

from kraut_core.kube.backoff import Backoff


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_it_doubles_to_thirty_seconds_and_starts_over_after_two_healthy_minutes() -> None:
    clock = Clock()
    backoff = Backoff(clock=clock, draw=lambda: 0.0)
    waits = []
    for _ in range(8):
        waits.append(backoff.fail())
        clock.now += waits[-1]
    assert waits == [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]
    clock.now += 119
    assert backoff.fail() == 30.0
    clock.now += 30 + 121
    assert backoff.fail() == 0.8


@given(draws=st.lists(st.floats(min_value=0, max_value=1, exclude_max=True), min_size=1, max_size=20))
def test_jitter_never_leaves_the_bounds(draws: list[float]) -> None:
    remaining = iter(draws)
    backoff = Backoff(clock=Clock(), draw=lambda: next(remaining))
    assert all(0.8 <= backoff.fail() <= 30.0 for _ in draws)
