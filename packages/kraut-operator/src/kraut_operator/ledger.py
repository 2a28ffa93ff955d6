"""What was sent and not answered yet, so that the same is not sent again and again (pure, with the clock passed in)."""

from collections.abc import Callable
from dataclasses import dataclass

from kraut_operator.entry import ObjectKey

FIRST_SECONDS = 60.0
LONGEST_SECONDS = 1800.0


@dataclass(slots=True)
class _Sent:
    world: tuple[object, ...]
    times: int
    again_at: float


class Ledger:
    """Signals are never lost, but a workflow may be stuck, or may never answer what the operator waits for: send again
    after a minute, then after twice the time, up to half an hour."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sent: dict[ObjectKey, _Sent] = {}

    def __len__(self) -> int:
        return len(self._sent)

    def wait(self, key: ObjectKey, world: tuple[object, ...]) -> float:
        """Seconds until this may be sent; 0 for now."""
        sent = self._sent.get(key)
        if sent is None or sent.world != world:
            return 0.0
        return max(0.0, sent.again_at - self._clock())

    def record(self, key: ObjectKey, world: tuple[object, ...]) -> float:
        """It was sent; returns the seconds after which it is sent again unless it is answered."""
        sent = self._sent.get(key)
        times = sent.times + 1 if sent is not None and sent.world == world else 1
        wait = min(FIRST_SECONDS * 2.0 ** min(times - 1, 16), LONGEST_SECONDS)
        self._sent[key] = _Sent(world, times, self._clock() + wait)
        return wait

    def forget(self, key: ObjectKey) -> None:
        """It was answered, or the object is gone."""
        self._sent.pop(key, None)
