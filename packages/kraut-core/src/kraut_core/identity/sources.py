"""Tokens of one's own: where they come from, and a cache that never holds the token they were got for (pure but for a file)."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, TypeVar

from kraut_core.errors import KrautError
from kraut_core.identity.compact import MAX_CHARACTERS, audiences, expiry, is_for_its_issuer
from kraut_core.identity.errors import CredentialError, HomeAudienceError

MARGIN_SECONDS: Final = 60.0
"""A token is replaced this long before it expires, or after four fifths of its life when that is sooner."""
REFUSED_SECONDS: Final = 30.0
"""A refusal that time does not heal is not asked for again before this."""
RETRY_SECONDS: Final = 10.0
"""A renewal that failed for a while is tried again after this, as long as the token that is to be renewed is still good."""
LAST_SECONDS: Final = 10.0
"""A token is given no later than this before it expires, so that whoever gets it can use it."""
MAX_ENTRIES: Final = 1024

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Token:
    """A token to send; ``expires_at`` in seconds since 1970. Its value stands in no repr."""

    value: str = field(repr=False)
    expires_at: float


class TokenSource(Protocol):
    """Gives a token for an audience. Raises CredentialError, ForbiddenError, Exchange...Error, ApiServerError."""

    async def token(self, audience: str) -> Token:
        """A token that is valid for a while."""


class FileTokenSource:
    """A projected service account token: a file that the kubelet replaces at 80 % of the token's life; read every time.

    ``to_send=False``: it is only looked at, so it may be one that acts in its own cluster.
    https://kubernetes.io/docs/concepts/storage/projected-volumes/#serviceaccounttoken
    """

    def __init__(self, path: Path, *, to_send: bool = True) -> None:
        self._path = path
        self._to_send = to_send

    async def token(self, audience: str) -> Token:
        """The token in the file. Raises CredentialError when it is absent, no token, or for another audience, and HomeAudienceError."""
        try:
            value = (await asyncio.to_thread(self._path.read_text, "ascii")).strip()
        except (OSError, ValueError) as error:
            raise CredentialError(
                f"{self._path} should hold a service account token ({getattr(error, 'strerror', None) or 'not ASCII'}); mount a projected volume there"
            ) from None
        named = audiences(value)
        if named is None:
            raise CredentialError(f"{self._path} should hold a service account token, it holds something else")
        if audience not in named:
            raise CredentialError(
                f"the token in {self._path} should be for the audience {audience}, it is not; set `audience` of the projected volume"
            )
        if self._to_send and is_for_its_issuer(value):
            raise HomeAudienceError(audience)
        return Token(value, float(expiry(value) or 0))


class TokenCache:
    """Tokens by what they were got with: keys are digests, so a dump of it tells no subject token.

    One fetch per key at a time. A permanent error is remembered for 30 s, so that a loop does not hammer a provider. When a renewal
    fails in a way that time may heal, the token stays until shortly before it expires.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time, max_entries: int = MAX_ENTRIES) -> None:
        self._clock = clock
        self._max = max_entries
        self._entries: OrderedDict[str, tuple[Token, float]] = OrderedDict()
        self._refused: OrderedDict[str, tuple[KrautError, float]] = OrderedDict()
        self._running: dict[str, asyncio.Task[Token]] = {}

    async def get(self, key: str, fetch: Callable[[], Awaitable[Token]]) -> Token:
        """The cached token of ``key`` (from ``digest``), else what ``fetch`` gives. Raises what it raises."""
        now = self._clock()
        found = self._entries.get(key)
        if found is not None and now < found[1]:
            self._entries.move_to_end(key)
            return found[0]
        refused = self._refused.get(key)
        if refused is not None and now < refused[1]:
            raise refused[0].with_traceback(None)
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(self._fetch(key, fetch))
            # Should everybody who waits go away, nobody else looks at its error.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)

    async def _fetch(self, key: str, fetch: Callable[[], Awaitable[Token]]) -> Token:
        try:
            token = await fetch()
        except KrautError as error:
            if error.permanent:
                # What was refused is not given again, should the next to be asked not answer.
                self._entries.pop(key, None)
                self._remember(self._refused, key, (error, self._clock() + REFUSED_SECONDS))
                raise
            return self._still_good(key, error)
        finally:
            del self._running[key]
        self._refused.pop(key, None)
        self._remember(self._entries, key, (token, renewal_time(token, self._clock())))
        return token

    def _still_good(self, key: str, error: KrautError) -> Token:
        """The token that was to be renewed, for a while. Raises ``error`` when there is none, or its end is near."""
        now, found = self._clock(), self._entries.get(key)
        if found is None or now >= found[0].expires_at - LAST_SECONDS:
            raise error
        self._entries[key] = found[0], min(now + RETRY_SECONDS, found[0].expires_at - LAST_SECONDS)
        return found[0]

    def _remember(self, table: "OrderedDict[str, T]", key: str, entry: T) -> None:
        table[key] = entry
        table.move_to_end(key)
        while len(table) > self._max:
            table.popitem(last=False)


def renewal_time(token: Token, now: float) -> float:
    """When to get another token, in seconds since 1970."""
    return min(token.expires_at - MARGIN_SECONDS, now + (token.expires_at - now) * 0.8)


def digest(*parts: str) -> str:
    """A key for ``TokenCache`` from the token, the audience and the target; lengths keep ``ab, c`` apart from ``a, bc``."""
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part.encode() for part in parts)).hexdigest()


def check_token_value(value: object) -> str:
    """A token from somebody else's answer, fit for a header. Raises ValueError: not text, too large, or with odd characters."""
    if not isinstance(value, str) or not 0 < len(value) <= 2 * MAX_CHARACTERS or not value.isascii():
        raise ValueError("a token should be ASCII text of at most 32 KiB")
    if not value.isprintable() or " " in value:
        raise ValueError("a token should have no blanks and no control characters")
    return value
