"""The work queue: fair, without starvation, one at a time per key."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kraut_operator.queue import LONGEST_RETRY_SECONDS, OLDEST_EVERY, Priority, WorkQueue
from kraut_operator.testing.worlds import Clock


def make() -> tuple[WorkQueue[str], Clock]:
    clock = Clock()
    return WorkQueue(clock, draw=lambda: 1.0), clock


def drain(queue: WorkQueue[str]) -> list[str]:
    found = []
    while (popped := queue.pop()) is not None:
        found.append(popped[0])
        queue.done(popped[0])
    return found


def test_first_in_first_out_within_a_priority() -> None:
    queue, clock = make()
    for name in "abc":
        queue.add(name, Priority.ROUTINE)
        clock.now += 0.001
    assert drain(queue) == ["a", "b", "c"]


def test_urgent_goes_before_retry_before_routine() -> None:
    queue, _ = make()
    for name, priority in (("routine", Priority.ROUTINE), ("retry", Priority.RETRY), ("urgent", Priority.URGENT)):
        queue.add(name, priority)
    assert drain(queue) == ["urgent", "retry", "routine"]


def test_a_key_waits_once_and_keeps_the_higher_priority() -> None:
    queue, clock = make()
    queue.add("other", Priority.RETRY)
    queue.add("a", Priority.ROUTINE)
    clock.now += 1
    queue.add("a", Priority.URGENT)
    queue.add("a", Priority.ROUTINE)
    assert len(queue) == 2
    assert drain(queue) == ["a", "other"]


@pytest.mark.parametrize("seconds", [0, 30, 61, 600])
def test_ten_thousand_that_wait_do_not_delay_a_person_however_long_they_have_waited(seconds: float) -> None:
    queue, clock = make()
    for number in range(10_000):
        queue.add(f"initial-{number}", Priority.ROUTINE)
    clock.now += seconds
    queue.add("person", Priority.URGENT)
    assert "person" in drain(queue)[:2]


def test_many_people_at_once_give_up_an_eighth_of_the_turns_to_what_is_older() -> None:
    queue, clock = make()
    for number in range(10_000):
        queue.add(f"initial-{number}", Priority.ROUTINE)
    clock.now += 600
    people = {f"person-{number}" for number in range(700)}
    for name in people:
        queue.add(name, Priority.URGENT)
    assert people <= set(drain(queue)[: 700 * OLDEST_EVERY // (OLDEST_EVERY - 1) + 1])


def test_a_person_whose_signal_failed_still_goes_before_a_backlog_that_failed_as_well() -> None:
    queue, clock = make()
    for name, priority in (*((f"initial-{number}", Priority.ROUTINE) for number in range(50)), ("p", Priority.URGENT)):
        queue.add(name, priority)
    while (popped := queue.pop()) is not None:
        queue.retry(popped[0])
        queue.done(popped[0])
    clock.now += 60
    assert "p" in drain(queue)[:2]


@pytest.mark.parametrize("priority", [Priority.ROUTINE, Priority.RETRY])
def test_what_is_not_urgent_has_its_turn_under_a_steady_stream_of_urgent_work(priority: Priority) -> None:
    queue, clock = make()
    queue.add("waiting", priority)
    order = []
    for turn in range(2 * OLDEST_EVERY):
        # one more than can be served: without a share of its own the waiting key would wait for ever
        for name in (f"urgent-{turn}", f"more-{turn}"):
            queue.add(name, Priority.URGENT)
        popped = queue.pop()
        assert popped is not None
        queue.done(popped[0])
        order.append(popped[0])
        clock.now += 1
    assert "waiting" in order[:OLDEST_EVERY]


ARRIVALS = st.lists(st.lists(st.sampled_from(Priority), max_size=3), min_size=1, max_size=80)


@given(
    waiting=st.lists(st.sampled_from(Priority), min_size=1, max_size=12),
    arrivals=ARRIVALS,
    pause=st.sampled_from([0.0, 0.01, 5.0, 600.0]),
)
def test_whatever_comes_nobody_starves_and_the_most_urgent_wait_for_one_turn_at_most(
    waiting: list[Priority], arrivals: list[list[Priority]], pause: float
) -> None:
    """Place n of those that wait has its turn within 8 n pops, and of two pops in a row one is of the highest priority."""
    queue, clock = make()
    left = {f"waiting-{number}": OLDEST_EVERY * (number + 1) for number in range(len(waiting))}
    for name, priority in zip(left, waiting, strict=True):
        queue.add(name, priority)
    due: dict[str, Priority] = dict(zip(left, waiting, strict=True))
    passed_over = 0
    turns = [*arrivals, *[[] for _ in range(OLDEST_EVERY * len(waiting))]]
    for turn, come in enumerate(turns):
        clock.now += pause
        for number, priority in enumerate(come):
            due[f"come-{turn}-{number}"] = priority
            queue.add(f"come-{turn}-{number}", priority)
        popped = queue.pop()
        if popped is None:
            assert not due
            continue
        highest = min(due.values())
        passed_over = passed_over + 1 if due.pop(popped[0]) > highest else 0
        assert passed_over <= 1
        assert turn < left.pop(popped[0], turn + 1)
        queue.done(popped[0])
    assert left == {}


@pytest.mark.parametrize("answered", [True, False])
def test_a_standby_that_never_pops_holds_no_more_than_what_waits(answered: bool) -> None:
    """What is not answered yet is added, what is answered is removed: for months, on a replica that never leads."""
    queue, clock = make()
    for number in range(20_000):
        key = f"h{number % 50}"
        queue.add(key, Priority.URGENT, after=number % 3)
        queue.add(key, Priority.ROUTINE, after=0.5)
        if answered:
            queue.remove(key)
        if number % 7 == 0:
            assert len(queue) <= 50
        clock.now += 0.01
        assert queue.held <= 7 * 50
    for number in range(50):
        queue.remove(f"h{number}")
    assert queue.held == 0


def test_later_means_later_and_sooner_wins() -> None:
    queue, clock = make()
    queue.add("a", Priority.URGENT, after=10)
    assert (queue.pop(), queue.next_due(), len(queue)) == (None, 10.0, 0)
    queue.add("a", Priority.ROUTINE, after=5)
    assert queue.next_due() == 5.0
    clock.now += 5
    assert queue.next_due() == 0.0
    assert drain(queue) == ["a"]
    clock.now += 10
    assert (drain(queue), queue.next_due()) == ([], None)


def test_a_key_that_is_added_while_it_is_worked_on_is_worked_on_once_more() -> None:
    queue, _ = make()
    queue.add("a", Priority.ROUTINE)
    popped = queue.pop()
    assert popped is not None
    queue.add("a", Priority.ROUTINE)
    queue.add("a", Priority.URGENT)
    assert (queue.pop(), queue.processing) == (None, 1)
    queue.done("a")
    assert drain(queue) == ["a"]
    assert drain(queue) == []


def test_removed_keys_do_not_come() -> None:
    queue, _ = make()
    queue.add("a", Priority.URGENT)
    queue.add("b", Priority.ROUTINE)
    queue.remove("a")
    assert (drain(queue), queue.next_due()) == (["b"], None)


def test_the_seconds_that_a_key_waited_count_from_when_it_was_due() -> None:
    queue, clock = make()
    queue.add("a", Priority.ROUTINE, after=10)
    clock.now += 13
    assert queue.pop() == ("a", Priority.ROUTINE, 3.0)


def test_failures_of_a_key_back_off_by_themselves_up_to_five_minutes() -> None:
    queue, clock = make()
    waits = []
    for _ in range(40):
        waits.append(queue.retry("a"))
        clock.now += waits[-1]
        assert drain(queue) == ["a"]
    assert waits[:4] == [0.05, 0.1, 0.2, 0.4]
    assert waits[-1] == LONGEST_RETRY_SECONDS
    assert queue.retry("b") == 0.05
    queue.forget("a")
    assert queue.retry("a") == 0.05


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.999])
def test_jitter_shortens_a_wait_by_half_at_most(draw: float) -> None:
    queue: WorkQueue[str] = WorkQueue(Clock(), draw=lambda: draw)
    assert 0.025 <= queue.retry("a") <= 0.05


class Machine(RuleBasedStateMachine):
    """Against the plainest model: a set of what waits, a set of what is worked on, a set of what was added meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.queue, self.clock = make()
        self.due: dict[str, float] = {}
        self.working: set[str] = set()
        self.again: dict[str, float] = {}

    @rule(key=st.sampled_from("abcdef"), priority=st.sampled_from(Priority), after=st.sampled_from([0.0, 1.0, 7.0]))
    def add(self, key: str, priority: Priority, after: float) -> None:
        self.queue.add(key, priority, after=after)
        waiting = self.again if key in self.working else self.due
        waiting[key] = min(waiting.get(key, float("inf")), self.clock.now + after)

    @rule(key=st.sampled_from("abcdef"))
    def remove(self, key: str) -> None:
        self.queue.remove(key)
        self.due.pop(key, None)
        self.again.pop(key, None)

    @rule()
    def pop(self) -> None:
        ready = {key for key, due in self.due.items() if due <= self.clock.now}
        popped: Any = self.queue.pop()
        assert (popped is None) == (not ready)
        if popped is not None:
            assert popped[0] in ready
            del self.due[popped[0]]
            self.working.add(popped[0])

    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        if self.working:
            key = data.draw(st.sampled_from(sorted(self.working)))
            self.queue.done(key)
            self.working.discard(key)
            if key in self.again:
                self.due[key] = self.again.pop(key)

    @rule(seconds=st.sampled_from([0.5, 1.0, 60.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def agrees(self) -> None:
        assert len(self.queue) == sum(due <= self.clock.now for due in self.due.values())
        expected = min((max(0.0, due - self.clock.now) for due in self.due.values()), default=None)
        assert self.queue.next_due() == expected


TestMachine = Machine.TestCase
TestMachine.settings = hypothesis_settings(max_examples=100, stateful_step_count=40, deadline=None)
