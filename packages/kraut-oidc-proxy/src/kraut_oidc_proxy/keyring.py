"""Which keys are public now, given what every API server of a cluster showed and when (pure)."""

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
    server's keys go after ``max_stale_seconds``.
    """

    def __init__(self, *, retain_seconds: float, max_stale_seconds: float) -> None:
        self._retain = retain_seconds
        self._max_stale = max_stale_seconds
        self._servers: dict[str, _Server] = {}

    def observe(self, server: str, keys: Iterable[PublicJwk], now: float) -> None:
        """Record a good answer. Raises JwksError, and keeps what was, when a key id means another key elsewhere."""
        keys = tuple(keys)
        known = {key.kid: key for key in self.current(now)}
        for key in keys:
            if known.get(key.kid, key) != key:
                raise JwksError(f"key id {key.kid} stands for two different keys; one of the API servers is not yours")
        before = self._servers.get(server)
        kept = {} if before is None else {key: at for key, at in before.seen.items() if now - at <= self._retain}
        self._servers[server] = _Server(now, kept | dict.fromkeys(keys, now))

    def forget(self, server: str) -> None:
        """Withdraw what a server showed: it is of another issuer."""
        self._servers.pop(server, None)

    def current(self, now: float) -> tuple[PublicJwk, ...]:
        """The keys to publish, by key id; none when no server answered within ``max_stale_seconds``."""
        fresh = [server for server in self._servers.values() if now - server.answered <= self._max_stale]
        return tuple(sorted({key for server in fresh for key in server.seen}, key=lambda key: key.kid))
