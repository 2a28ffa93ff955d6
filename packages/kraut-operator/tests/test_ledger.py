"""What was sent is not sent again and again, and not forgotten either."""

from kraut_operator.bucket import TokenBucket
from kraut_operator.entry import ObjectKey
from kraut_operator.ledger import Ledger
from kraut_operator.testing.worlds import Clock

KEY = ObjectKey("Host", "n", "h")


def test_the_same_world_waits_longer_each_time() -> None:
    clock = Clock()
    ledger = Ledger(clock)
    waits = []
    for _ in range(8):
        assert ledger.wait(KEY, ("world",)) == 0
        waits.append(ledger.record(KEY, ("world",)))
        assert ledger.wait(KEY, ("world",)) == waits[-1]
        clock.now += waits[-1]
    assert waits == [60, 120, 240, 480, 960, 1800, 1800, 1800]


def test_another_world_goes_at_once_and_starts_over() -> None:
    ledger = Ledger(Clock())
    ledger.record(KEY, ("world",))
    ledger.record(KEY, ("world",))
    assert ledger.wait(KEY, ("other",)) == 0
    assert ledger.record(KEY, ("other",)) == 60


def test_an_answer_is_the_end_of_it() -> None:
    ledger = Ledger(Clock())
    ledger.record(KEY, ("world",))
    ledger.forget(KEY)
    assert (ledger.wait(KEY, ("world",)), len(ledger)) == (0, 0)


def test_the_bucket_lets_a_burst_through_and_then_its_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(rate=10, burst=3, clock=clock)
    assert [round(bucket.reserve(), 6) for _ in range(6)] == [0, 0, 0, 0.1, 0.2, 0.3]
    clock.now += 0.3
    assert round(bucket.reserve(), 6) == 0.1
    clock.now += 60
    assert [round(bucket.reserve(), 6) for _ in range(4)] == [0, 0, 0, 0.1]
