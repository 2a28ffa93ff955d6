"""From changes to work: which objects wait to be dispatched, in which order, and what is sent for them."""

import asyncio
import time
import zlib
from collections.abc import Callable, Iterable, Sequence

from kraut_core.api.kinds import Kind
from kraut_core.kube.replica import Change, Deleted, Synced, Upserted
from kraut_operator.cache import Cache
from kraut_operator.dispatch import Dispatch, decide
from kraut_operator.entry import Entry, ObjectKey
from kraut_operator.ledger import Ledger
from kraut_operator.metrics import OperatorMetrics
from kraut_operator.queue import Priority, WorkQueue

TURN = 200
"""Objects compared before others of the loop get their turn: about 2 ms."""
UNTOLD_SECONDS = 600.0
"""How long what only an event tells (an object is gone, an owned one changed) is kept since it came or could last not be told: a
standby never tells it, and must neither keep it for ever nor, when it takes over, wake everybody to whom it ever happened."""


class Controller:
    """Takes the changes of all streams, keeps the queue, and says what a key of it needs when its turn comes."""

    def __init__(
        self,
        kinds: Sequence[Kind],
        cache: Cache,
        metrics: OperatorMetrics,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.queue: WorkQueue[ObjectKey] = WorkQueue(clock)
        self.ledger = Ledger(clock)
        self.added = asyncio.Event()
        self._clock = clock
        self._cache = cache
        self._metrics = metrics
        self._reconciled = [kind.name for kind in kinds if kind.reconciled]
        self._related = {kind.name: _related_kinds(kind) for kind in kinds if kind.reconciled}
        self._gone: dict[ObjectKey, tuple[Dispatch, float]] = {}
        self._owned_changed: dict[ObjectKey, float] = {}

    async def take(self, changes: Iterable[Change[Entry]], kind: str) -> None:
        """Take what a stream of ``kind`` told."""
        for number, change in enumerate(changes, start=1):
            if isinstance(change, Upserted):
                self._upserted(change)
            elif isinstance(change, Deleted):
                self._deleted(change.old)
            elif isinstance(change, Synced):
                # What refers to this kind could not be compared before.
                await self.compare(name for name in self._reconciled if kind in self._related[name])
            if number % TURN == 0:
                await asyncio.sleep(0)

    def _upserted(self, change: Upserted[Entry]) -> None:
        new, old = change.new, change.old
        self._cache.note(new, old)
        if new.kind in self._related:
            self._gone.pop(new.key, None)
            self._look_at(new, routine=change.initial)
        if not change.initial:
            self._look_at_affected(new, new, old)

    def _deleted(self, old: Entry) -> None:
        self._cache.note(None, old)
        self.ledger.forget(old.key)
        self.queue.remove(old.key)
        self._owned_changed.pop(old.key, None)
        if old.kind in self._related:
            # A workflow that waits learns of it now; nothing tells it when this is lost, and it finds out when it next looks.
            gone = Dispatch(old.uid, old.generation, "Deleted", (old.uid, "gone"), old.site)
            self._gone[old.key] = gone, self._clock() + UNTOLD_SECONDS
            self._add(old.key, Priority.URGENT)
        self._look_at_affected(old, None, old)

    def _look_at_affected(self, changed: Entry, new: Entry | None, old: Entry | None) -> None:
        for key in self._cache.affected_by(new, old):
            entry = self._cache.get(key)
            if entry is not None:
                self._look_at(entry, routine=False)
        for owner in self._cache.owners_of(changed):
            if self._cache.get(owner) is not None:
                self._owned_changed[owner] = self._clock() + UNTOLD_SECONDS
                self._add(owner, Priority.RETRY)

    def _look_at(self, entry: Entry, *, routine: bool) -> None:
        dispatch = decide(entry, self._cache)
        if dispatch is None:
            self._settle(entry.key)
            return
        wait = self.ledger.wait(entry.key, dispatch.world)
        self._add(entry.key, _priority(dispatch, routine=routine or wait > 0), after=wait)

    def _settle(self, key: ObjectKey) -> None:
        self.ledger.forget(key)
        if key not in self._owned_changed:
            self.queue.remove(key)

    def _add(self, key: ObjectKey, priority: Priority, *, after: float = 0.0) -> None:
        self._metrics.queue_adds.inc()
        self.queue.add(key, priority, after=after)
        self.added.set()

    async def compare(self, kinds: Iterable[str] | None = None, *, seconds: float = 0.0) -> None:
        """Compare all objects of ``kinds`` (default all) with the world, spread over ``seconds`` in the order of their uid's hash."""
        self._forget_untold()
        names = self._reconciled if kinds is None else kinds
        entries = sorted((entry for name in names for entry in self._cache.entries(name)), key=_hash_of)
        keys = [entry.key for entry in entries]
        del entries
        for number, key in enumerate(keys, start=1):
            entry = self._cache.get(key)
            if entry is not None:
                self._look_at(entry, routine=True)
            if seconds or number % TURN == 0:
                await asyncio.sleep(seconds / len(keys))

    def _forget_untold(self) -> None:
        now = self._clock()
        for key in [key for key, (_, until) in self._gone.items() if until < now]:
            del self._gone[key]
            self.queue.remove(key)
        for key in [key for key, until in self._owned_changed.items() if until < now]:
            # Comparing takes it out of the queue, unless something else keeps it there.
            del self._owned_changed[key]

    def what_to_send(self, key: ObjectKey) -> Dispatch | None:
        """What a key that was popped needs now; None when it needs nothing, or not yet (then it waits in the queue again)."""
        entry = self._cache.get(key)
        if entry is None:
            if key in self._gone:
                return self._gone[key][0]
            self.ledger.forget(key)
            self.queue.forget(key)
            return None
        dispatch = decide(entry, self._cache)
        if dispatch is None:
            self.ledger.forget(key)
        elif (wait := self.ledger.wait(key, dispatch.world)) > 0:
            self.queue.add(key, Priority.ROUTINE, after=wait)
            dispatch = None
        if dispatch is None and key in self._owned_changed:
            dispatch = Dispatch(entry.uid, entry.generation, "Owned", (), entry.site)
        self._owned_changed.pop(key, None)
        if dispatch is None:
            self.queue.forget(key)
        return dispatch

    def sent(self, key: ObjectKey, dispatch: Dispatch) -> None:
        """Temporal took the signal."""
        self.queue.forget(key)
        if key in self._gone and self._gone[key][0] is dispatch:
            del self._gone[key]
        elif dispatch.world and self._is_there(key, dispatch.uid):
            self.queue.add(key, Priority.ROUTINE, after=self.ledger.record(key, dispatch.world))

    def _is_there(self, key: ObjectKey, uid: str) -> bool:
        """Whether the object has not gone, or been created again, while something was sent for it: then nobody can answer that."""
        entry = self._cache.get(key)
        return entry is not None and entry.uid == uid

    def failed(self, key: ObjectKey, dispatch: Dispatch) -> float:
        """Temporal did not take it; returns the seconds until it is tried again."""
        if not dispatch.world:
            if self._is_there(key, dispatch.uid):
                self._owned_changed[key] = self._clock() + UNTOLD_SECONDS
        elif key in self._gone and self._gone[key][0] is dispatch:
            self._gone[key] = dispatch, self._clock() + UNTOLD_SECONDS
        self._metrics.queue_retries.inc()
        wait = self.queue.retry(key)
        self.added.set()
        return wait


def _related_kinds(kind: Kind) -> set[str]:
    return {reference.kind for reference in kind.references} | {selector.kind for selector in kind.selectors}


def _priority(dispatch: Dispatch, *, routine: bool) -> Priority:
    if routine:
        return Priority.ROUTINE
    # One Secret may wake thousands: a person who waits goes before them.
    return Priority.RETRY if dispatch.reason == "Reference" else Priority.URGENT


def _hash_of(entry: Entry) -> int:
    return zlib.crc32(entry.uid.encode())
