"""A history: events with their time, one JSON document per line."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Event = dict[str, Any]
"""``t`` (Unix seconds), ``what``, and what belongs to it."""


class HistoryWriter:
    """Appends events to a file; threads share one."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._sink = file.open("w")
        self._lock = threading.Lock()

    def note(self, what: str, *, t: float | None = None, **fields: Any) -> None:
        """Append an event that happens now, or happened at ``t``."""
        line = json.dumps({"t": time.time() if t is None else t, "what": what, **fields})
        with self._lock:
            self._sink.write(line + "\n")
            self._sink.flush()

    def close(self) -> None:
        """Nothing more comes."""
        self._sink.close()


@dataclass(frozen=True)
class History:
    """All events of a run, in the order in which they happened."""

    events: Sequence[Event]

    def of(self, what: str, **fields: Any) -> Iterator[Event]:
        """Events of a sort whose fields are these."""
        for event in self.events:
            if event["what"] == what and all(event.get(name) == value for name, value in fields.items()):
                yield event

    @property
    def run(self) -> Event:
        """The event that tells what was run."""
        return next(self.of("run"))


def read_history(file: Path) -> History:
    """Read a file that `HistoryWriter` wrote."""
    events = [json.loads(line) for line in file.read_text().splitlines()]
    return History(sorted(events, key=lambda event: float(event["t"])))
