"""The work queue: fair, without starvation, one at a time per key."""

from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kraut_operator.queue import HEAD_START_SECONDS, LONGEST_RETRY_SECONDS, Priority, WorkQueue
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


def test_a_thousand_that_were_read_at_start_do_not_delay_a_person() -> None:
    queue, clock = make()
    for number in range(1000):
        queue.add(f"initial-{number}", Priority.ROUTINE)
    clock.now += 30
    queue.add("person", Priority.URGENT)
    assert drain(queue)[0] == "person"


def test_routine_work_ages_under_a_steady_stream_of_urgent_work() -> None:
    queue, clock = make()
    queue.add("routine", Priority.ROUTINE)
    served_after = None
    for second in range(200):
        queue.add(f"urgent-{second}", Priority.URGENT)
        popped = queue.pop()
        assert popped is not None
        queue.done(popped[0])
        if popped[0] == "routine":
            served_after = second
            break
        # one more than can be served: without ageing the routine key would wait for ever
        queue.add(f"urgent-more-{second}", Priority.URGENT)
        clock.now += 1
    assert served_after is not None
    assert served_after <= 3 * HEAD_START_SECONDS[Priority.URGENT]


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
