"""Which keys are public now, given what every API server of a cluster showed and when (pure)."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from kraut_core.identity.jwks import JwksError, PublicJwk


@dataclass(slots=True)
class _Server:
    answered: float
    seen: dict[PublicJwk, float] = field(default_factory=dict)


class KeyRing:
    """The union of keys over API servers; times are seconds of one monotonic clock.

    A key goes ``retain_seconds`` after its server last answered with it and answered without it since; an unanswering
    server's keys go after ``max_stale_seconds``. Answers are at most ``usual_seconds`` apart: what is more (nobody asked, since
    this process stood still, or the server could not be read) does not count for a key's ``retain_seconds``, in which another
    server at the same address would have shown it. Default: all time counts.
    """

    def __init__(self, *, retain_seconds: float, max_stale_seconds: float, usual_seconds: float = math.inf) -> None:
        self._retain = retain_seconds
        self._max_stale = max_stale_seconds
        self._usual = usual_seconds
        self._servers: dict[str, _Server] = {}

    def observe(self, server: str, keys: Iterable[PublicJwk], now: float) -> None:
        """Record a good answer. Raises JwksError, and keeps what was, when a key id means another key elsewhere."""
        keys = tuple(keys)
        known = {key.kid: key for key in self.current(now)}
        for key in keys:
            if known.get(key.kid, key) != key:
                raise JwksError(f"key id {key.kid} stands for two different keys; one of the API servers is not yours")
        self._servers[server] = _Server(now, self._kept(self._servers.get(server), now) | dict.fromkeys(keys, now))

    def _kept(self, before: _Server | None, now: float) -> dict[PublicJwk, float]:
        if before is None or now - before.answered > self._max_stale:
            return {}
        unseen = max(0.0, now - before.answered - self._usual)
        return {key: at + unseen for key, at in before.seen.items() if now - at - unseen <= self._retain}

    def forget(self, server: str) -> None:
        """Withdraw what a server showed: it is of another issuer."""
        self._servers.pop(server, None)

    def current(self, now: float) -> tuple[PublicJwk, ...]:
        """The keys to publish, by key id; none when no server answered within ``max_stale_seconds``."""
        fresh = [server for server in self._servers.values() if now - server.answered <= self._max_stale]
        return tuple(sorted({key for server in fresh for key in server.seen}, key=lambda key: key.kid))
