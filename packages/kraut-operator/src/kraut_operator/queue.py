"""The work queue: one place per key, urgent before routine, nobody starves; pure, with the clock passed in.

Semantics of client-go's workqueue (a key is worked on by one at a time, and once more if it was added meanwhile) and
of controller-runtime's priority queue, with ageing (kubernetes-sigs/controller-runtime#3496).
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


HEAD_START_SECONDS = {Priority.URGENT: 60.0, Priority.RETRY: 45.0, Priority.ROUTINE: 0.0}
"""An item overtakes those of lower priority that have waited no longer than the difference; older ones it does not."""


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
        self._later: list[tuple[float, int, K]] = []
        self._ready: list[tuple[float, int, K]] = []
        self._processing: set[K] = set()
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
        return waiting + len(self._later) + len(self._ready)

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
            heapq.heappush(self._later, (item.ready_at, item.version, key))

    def remove(self, key: K) -> None:
        """Forget that a key waits, and its failures."""
        self._items.pop(key, None)
        self._dirty.pop(key, None)
        self._failures.pop(key, None)

    def pop(self) -> tuple[K, Priority, float] | None:
        """Take the key that goes first, with its priority and the seconds it was due; None when none is due."""
        self._mature()
        while self._ready:
            _, version, key = heapq.heappop(self._ready)
            item = self._items.get(key)
            if item is not None and item.version == version:
                del self._items[key]
                self._processing.add(key)
                return key, item.priority, self._clock() - max(item.ready_at, item.added_at)
        return None

    def done(self, key: K) -> None:
        """The key is no longer worked on; if it was added meanwhile it waits again."""
        self._processing.discard(key)
        item = self._dirty.pop(key, None)
        if item is not None:
            self._items[key] = item
            heapq.heappush(self._later, (item.ready_at, item.version, key))

    def retry(self, key: K) -> float:
        """Add a key that failed, after its own backoff; returns the seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        base = min(FIRST_RETRY_SECONDS * 2.0 ** min(failures, 32), LONGEST_RETRY_SECONDS)
        wait = base * (0.5 + self._draw() / 2)
        self.add(key, Priority.RETRY, after=wait)
        return wait

    def forget(self, key: K) -> None:
        """The key succeeded: its next failure is its first."""
        self._failures.pop(key, None)

    def next_due(self) -> float | None:
        """Seconds until a key is due, 0 when one is; None when none waits."""
        self._mature()
        if self._ready:
            return 0.0
        return max(0.0, self._later[0][0] - self._clock()) if self._later else None

    def _mature(self) -> None:
        now = self._clock()
        while self._later and (self._later[0][0] <= now or not self._current(*self._later[0][1:])):
            ready_at, version, key = heapq.heappop(self._later)
            item = self._items.get(key)
            if item is not None and item.version == version:
                rank = max(ready_at, item.added_at) - HEAD_START_SECONDS[item.priority]
                heapq.heappush(self._ready, (rank, version, key))
        while self._ready and not self._current(*self._ready[0][1:]):
            heapq.heappop(self._ready)

    def _current(self, version: int, key: K) -> bool:
        item = self._items.get(key)
        return item is not None and item.version == version
