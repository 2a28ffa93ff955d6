"""What the proxy says instead of the truth; each lie lasts as long as its context, and is counted."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

INITIAL_EVENTS_END = "k8s.io/initial-events-end"

Wanted = Callable[[str, dict[str, Any]], bool]
"""Says of an event, given its type and its object, whether the lie is about it."""


@dataclass(frozen=True)
class Cut:
    """Send this much of a line, then reset the connection."""

    head: bytes


@dataclass(frozen=True)
class Refusal:
    """An answer that stands in for the API server's."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)


@dataclass
class Told:
    """How often a lie was told."""

    times: int = 0


class Lies:
    """The lies of one proxy, and the memory that they are made of. Called from many threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._drops: list[tuple[Wanted, Told]] = []
        self._repeats: list[Told] = []
        self._cuts: dict[str, Told] = {}
        self._answers: dict[str, bytes] = {}
        self._past_answers: dict[str, tuple[bytes, Told]] = {}
        self._refusals: dict[str, tuple[Refusal, Told]] = {}
        self._states: dict[str, list[bytes]] = {}
        self._past_states: dict[str, tuple[list[bytes], threading.Event, Told]] = {}
        self._before: dict[str, bytes] = {}

    @contextmanager
    def dropping(self, wanted: Wanted) -> Iterator[Told]:
        """Watch events that are wanted never arrive; the connection stays."""
        lie = (wanted, Told())
        with self._lock:
            self._drops.append(lie)
        try:
            yield lie[1]
        finally:
            with self._lock:
                self._drops.remove(lie)

    @contextmanager
    def repeating(self) -> Iterator[Told]:
        """Each watch event comes twice, and after it the one before of the same object once more."""
        told = Told()
        with self._lock:
            self._repeats.append(told)
        try:
            yield told
        finally:
            with self._lock:
                self._repeats.remove(told)

    @contextmanager
    def cutting(self, path: str) -> Iterator[Told]:
        """Each event of the watch of a collection is cut in the middle of its line by a reset."""
        told = self._cuts[path] = Told()
        try:
            yield told
        finally:
            del self._cuts[path]

    @contextmanager
    def refusing(self, path: str, refusal: Refusal) -> Iterator[Told]:
        """Every request to a path, or below it, gets this answer and reaches nobody. Cut the watches to make clients ask."""
        told = Told()
        with self._lock:
            self._refusals[path] = (refusal, told)
        try:
            yield told
        finally:
            with self._lock:
                del self._refusals[path]

    @contextmanager
    def answering_from_the_past(self, path: str) -> Iterator[Told]:
        """GET of an object is answered as it was the last time before, whatever has become of it."""
        told = Told()
        with self._lock:
            self._past_answers[path] = (self._answers[path], told)
        try:
            yield told
        finally:
            with self._lock:
                del self._past_answers[path]

    @contextmanager
    def listing_from_the_past(self, path: str) -> Iterator[Told]:
        """Who asks for a collection's whole state gets what it was when somebody last asked, and hears nothing more.

        Nothing can be resumed meanwhile (410): an API server whose cache is far behind. Cut the watches to make clients ask.
        """
        told, over = Told(), threading.Event()
        with self._lock:
            self._past_states[path] = (self._states[path], over, told)
        try:
            yield told
        finally:
            with self._lock:
                del self._past_states[path]
            over.set()

    def remember_answer(self, path: str, body: bytes) -> None:
        """The truth of a GET."""
        self._answers[path] = body

    def remember_state(self, path: str, lines: list[bytes]) -> None:
        """The truth of a collection: initial events with the bookmark that ends them."""
        self._states[path] = lines

    def refusal(self, path: str) -> Refusal | None:
        """What to answer instead of asking; None for the truth."""
        with self._lock:
            for refused, (refusal, told) in self._refusals.items():
                if path == refused or path.startswith(f"{refused}/"):
                    told.times += 1
                    return refusal
        return None

    def past_answer(self, path: str) -> bytes | None:
        """What to answer to a GET instead of asking; None for the truth."""
        with self._lock:
            body, told = self._past_answers.get(path, (None, Told()))
            told.times += 1
        return body

    def past_state(self, path: str) -> tuple[list[bytes], threading.Event] | None:
        """What to answer to a watch, and when the lie is over; None for the truth."""
        with self._lock:
            if path not in self._past_states:
                return None
            lines, over, told = self._past_states[path]
            told.times += 1
            return lines, over

    def lists_from_the_past(self, path: str) -> bool:
        """Whether a collection's past stands in for it."""
        return path in self._past_states

    def instead_of(self, path: str, line: bytes) -> list[bytes | Cut]:
        """What to send for one line of a watch: nothing, the line, more lines, or a part of it and a reset."""
        event = json.loads(line)
        kind, found = event.get("type", ""), event.get("object", {})
        if kind not in ("ADDED", "MODIFIED", "DELETED"):
            return [line]
        with self._lock:
            if path in self._cuts:
                self._cuts[path].times += 1
                return [Cut(line[: len(line) // 2])]
            for wanted, told in self._drops:
                if wanted(kind, found):
                    told.times += 1
                    return []
            return self._repeated(str(found["metadata"]["uid"]), line)

    def _repeated(self, uid: str, line: bytes) -> list[bytes | Cut]:
        before, self._before[uid] = self._before.get(uid, line), line
        for told in self._repeats:
            told.times += 1
            return [line, line, before]
        return [line]


def ends_initial_events(line: bytes) -> bool:
    """Whether a line is the bookmark that ends a collection's initial events (KEP-3157)."""
    if INITIAL_EVENTS_END.encode() not in line:
        return False
    event = json.loads(line)
    annotations = event["object"]["metadata"].get("annotations") or {}
    return event["type"] == "BOOKMARK" and annotations.get(INITIAL_EVENTS_END) == "true"
