"""How long to wait before the API server is asked again: client-go's reflector backoff."""

import random
from collections.abc import Callable

FIRST_SECONDS = 0.8
LONGEST_SECONDS = 30.0
HEALTHY_SECONDS = 120.0


class Backoff:
    """0.8 s doubling to 30 s, each stretched at random by up to its own length (within 30 s), and forgotten after 2 min without failure."""

    def __init__(self, *, clock: Callable[[], float], draw: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._draw = draw
        self._next = FIRST_SECONDS
        self._failed_at = clock()

    def fail(self) -> float:
        """Record a failure and return the seconds to wait."""
        now = self._clock()
        if now - self._failed_at > HEALTHY_SECONDS:
            self._next = FIRST_SECONDS
        base, self._next = self._next, min(self._next * 2, LONGEST_SECONDS)
        wait = min(base * (1 + self._draw()), LONGEST_SECONDS)
        self._failed_at = now + wait
        return wait
