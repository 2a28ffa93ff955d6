"""The work queue: one place per key, urgent before routine, nobody starves; pure, with the clock passed in.

Semantics of client-go's workqueue (a key is worked on by one at a time, and once more if it was added meanwhile) and
of controller-runtime's priority queue (kubernetes-sigs/controller-runtime#3496). Ageing is by share and not by time: after an
outage everything is old, and a person would wait for all of it.
"""

import heapq
import random
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_RETRY_SECONDS = 0.05
LONGEST_RETRY_SECONDS = 300.0


class Priority(IntEnum):
    """Lower goes first."""

    URGENT = 0
    RETRY = 1
    ROUTINE = 2


OLDEST_EVERY = 8
"""Every so many pops the key that is due for longest goes, whatever its priority; at all others the highest priority."""

_Entry = tuple[float, float, int, K]
"""A place in a heap: two numbers to sort by, the version that it is of, the key."""


@dataclass(slots=True)
class _Item:
    priority: Priority
    ready_at: float
    added_at: float
    version: int


class WorkQueue(Generic[K]):
    """Keys that wait. ``clock`` gives monotonic seconds, ``draw`` a number in [0, 1) for jitter."""

    def __init__(self, clock: Callable[[], float], draw: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._draw = draw
        self._items: dict[K, _Item] = {}
        self._later: list[_Entry[K]] = []
        self._by_priority: list[_Entry[K]] = []
        self._by_age: list[_Entry[K]] = []
        self._pops = 0
        self._processing: dict[K, Priority] = {}
        self._dirty: dict[K, _Item] = {}
        self._failures: dict[K, int] = {}
        self._version = 0

    def __len__(self) -> int:
        """Keys that wait to be worked on now, later ones left out."""
        self._mature()
        return sum(1 for item in self._items.values() if item.ready_at <= self._clock())

    @property
    def held(self) -> int:
        """Entries in memory, those for later and outdated ones included: what must not grow with time."""
        waiting = len(self._items) + len(self._dirty) + len(self._failures)
        return waiting + len(self._later) + len(self._by_priority) + len(self._by_age)

    @property
    def processing(self) -> int:
        """Keys that are being worked on."""
        return len(self._processing)

    def add(self, key: K, priority: Priority, *, after: float = 0.0) -> None:
        """Add a key, due in ``after`` seconds; if it waits already, the higher priority and the earlier time count."""
        now = self._clock()
        waiting = self._dirty if key in self._processing else self._items
        before = waiting.get(key)
        self._version += 1
        item = _Item(priority, now + after, now, self._version)
        if before is not None:
            item.priority = min(priority, before.priority)
            item.ready_at = min(item.ready_at, before.ready_at)
            item.added_at = before.added_at
            if (item.priority, item.ready_at) == (before.priority, before.ready_at):
                return
        waiting[key] = item
        if waiting is self._items:
            self._wait(key, item)

    def remove(self, key: K) -> None:
        """Forget that a key waits, and its failures."""
        self._items.pop(key, None)
        self._dirty.pop(key, None)
        self._failures.pop(key, None)
        self._compact()

    def pop(self) -> tuple[K, Priority, float] | None:
        """Take the key that goes first, with its priority and the seconds it was due; None when none is due."""
        self._mature()
        if not self._by_priority:
            return None
        self._pops += 1
        heap = self._by_age if self._pops % OLDEST_EVERY == 0 else self._by_priority
        key = heapq.heappop(heap)[3]
        item = self._items.pop(key)
        self._processing[key] = item.priority
        return key, item.priority, self._clock() - _due_at(item)

    def done(self, key: K) -> None:
        """The key is no longer worked on; if it was added meanwhile it waits again."""
        self._processing.pop(key, None)
        item = self._dirty.pop(key, None)
        if item is not None:
            self._items[key] = item
            self._wait(key, item)

    def retry(self, key: K) -> float:
        """Add a key that is worked on and failed, after its own backoff; returns the seconds. What is urgent stays urgent."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        base = min(FIRST_RETRY_SECONDS * 2.0 ** min(failures, 32), LONGEST_RETRY_SECONDS)
        wait = base * (0.5 + self._draw() / 2)
        self.add(key, min(self._processing.get(key, Priority.RETRY), Priority.RETRY), after=wait)
        return wait

    def has_failed(self, key: K) -> bool:
        """Whether the last attempt of a key failed, and it waits for the next one or is worked on again."""
        return key in self._failures

    def forget(self, key: K) -> None:
        """The key succeeded: its next failure is its first."""
        self._failures.pop(key, None)

    def next_due(self) -> float | None:
        """Seconds until a key is due, 0 when one is; None when none waits."""
        self._mature()
        if self._by_priority:
            return 0.0
        return max(0.0, self._later[0][0] - self._clock()) if self._later else None

    def _wait(self, key: K, item: _Item) -> None:
        heapq.heappush(self._later, (item.ready_at, 0, item.version, key))
        self._compact()

    def _mature(self) -> None:
        now = self._clock()
        while self._later and (self._later[0][0] <= now or not self._current(self._later[0])):
            _, _, version, key = entry = heapq.heappop(self._later)
            if self._current(entry):
                item = self._items[key]
                heapq.heappush(self._by_priority, (item.priority, _due_at(item), version, key))
                heapq.heappush(self._by_age, (_due_at(item), 0, version, key))
        for heap in (self._by_priority, self._by_age):
            while heap and not self._current(heap[0]):
                heapq.heappop(heap)

    def _compact(self) -> None:
        """Outdated entries go when they come first, and nothing comes first where nothing is popped: on a standby."""
        for heap in (self._later, self._by_priority, self._by_age):
            if len(heap) > 2 * len(self._items):
                heap[:] = filter(self._current, heap)
                heapq.heapify(heap)

    def _current(self, entry: _Entry[K]) -> bool:
        item = self._items.get(entry[3])
        return item is not None and item.version == entry[2]


def _due_at(item: _Item) -> float:
    return max(item.ready_at, item.added_at)
