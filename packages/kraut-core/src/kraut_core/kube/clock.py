"""The time by the API server's clock, which all who use it share; their own may be wrong, after a machine was suspended for example."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

NEAR_SECONDS: Final = 2.0
"""Clocks that differ by no more than this agree; an answer that took longer than this says nothing. HTTP's dates are whole seconds."""

Moment = tuple[float, float]
"""Of this process' monotonic clock and of its machine's, in seconds."""


class SharedClock:
    """Knows by how much the API server's clock is ahead, from its last answer (RFC 9110, 6.6.1: Date); not at all before the first."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        """The time there, in UTC."""
        return datetime.now(UTC) + self._ahead

    @staticmethod
    def moment() -> Moment:
        """When a request is sent."""
        return time.monotonic(), datetime.now(UTC).timestamp()

    def hear(self, date: str | None, sent: Moment) -> None:
        """Take the Date of an answer that begins now; one that came late, or while this process stood still, is not believed."""
        arrived = self.moment()
        took = max(there - here for here, there in zip(sent, arrived, strict=True))
        said = _read(date)
        if said is None or took > NEAR_SECONDS or arrived[1] < sent[1]:
            return
        ahead = said.timestamp() + 0.5 - (sent[1] + arrived[1]) / 2
        self._ahead = timedelta(seconds=ahead) if abs(ahead) > NEAR_SECONDS else timedelta()


def _read(date: str | None) -> datetime | None:
    if date is None:
        return None
    try:
        said = parsedate_to_datetime(date)
    except ValueError:
        return None
    return said.replace(tzinfo=said.tzinfo or UTC)
