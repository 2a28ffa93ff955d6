"""A token bucket, the global limit of dispatches (pure, with the clock passed in)."""

from collections.abc import Callable


class TokenBucket:
    """``rate`` tokens per second, up to ``burst`` at once."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._filled_at = clock()

    def reserve(self) -> float:
        """Take one token, on credit if there is none; returns the seconds to wait before using it."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        self._tokens -= 1
        return max(0.0, -self._tokens / self._rate)
