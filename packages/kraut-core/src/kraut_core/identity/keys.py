"""The keys of trusted issuers, cached: refetched when old or when a key id is unknown, but never more often than allowed."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from joserfc import jwk
from joserfc.errors import JoseError

from kraut_core.errors import KrautError
from kraut_core.identity.errors import IssuerUnavailableError
from kraut_core.identity.issuers import VERIFIABLE, TrustedIssuer
from kraut_core.identity.jwks import JwksError, PublicJwk, parse_jwks

MAX_AGE_SECONDS: Final = 300.0
"""A removed key stops being accepted after this; as kraut-oidc-proxy's max-age."""
MAX_STALE_SECONDS: Final = 86_400.0
"""For so long the last good keys are used while an issuer does not answer or answers with poison."""
REFETCH_SECONDS: Final = 60.0
"""Between two fetches, whatever tokens arrive."""
FIRST_REFETCH_SECONDS: Final = 5.0
"""The same while there are no keys at all."""

Fetch = Callable[[TrustedIssuer], Awaitable[bytes]]
"""Reads an issuer's JWKS. Has a deadline of its own; raises KrautError."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A key and the one algorithm that it is for."""

    algorithm: str
    key: jwk.Key = field(repr=False)


@dataclass(slots=True)
class _State:
    keys: Mapping[str, VerificationKey] = field(default_factory=dict)
    fetched_at: float | None = None
    attempted_at: float | None = None
    trouble: KrautError | None = None
    running: asyncio.Task[None] | None = None


class KeyCache:
    """Keys by issuer and key id. ``on_fetch`` is told the issuer and the error, None when all was well (metrics, logs)."""

    def __init__(
        self,
        fetch: Fetch,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_fetch: Callable[[str, KrautError | None], None] = lambda _issuer, _error: None,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._on_fetch = on_fetch
        self._states: dict[str, _State] = {}

    async def find(self, issuer: TrustedIssuer, key_id: str) -> VerificationKey | None:
        """The key, or None when the issuer has none of that id. Raises IssuerUnavailableError when no keys are known."""
        state = self._states.setdefault(issuer.url, _State())
        if self._is_due(state, key_id):
            await self._refresh(issuer, state)
        if state.fetched_at is None or self._clock() - state.fetched_at > MAX_STALE_SECONDS:
            raise IssuerUnavailableError(
                f"the keys of {issuer.url} should be readable, they are not: {state.trouble or 'tried a moment ago'}"
            )
        return state.keys.get(key_id)

    def _is_due(self, state: _State, key_id: str) -> bool:
        if state.running is not None:
            # Whoever needs what is on its way waits for it; everybody else goes on.
            return state.fetched_at is None or key_id not in state.keys
        now = self._clock()
        wait = FIRST_REFETCH_SECONDS if state.fetched_at is None else REFETCH_SECONDS
        if state.attempted_at is not None and now - state.attempted_at < wait:
            return False
        return state.fetched_at is None or key_id not in state.keys or now - state.fetched_at >= MAX_AGE_SECONDS

    async def _refresh(self, issuer: TrustedIssuer, state: _State) -> None:
        if state.running is None:
            state.attempted_at = self._clock()
            state.running = asyncio.create_task(self._load(issuer, state))
        # A caller that goes away does not take the fetch from the others.
        await asyncio.shield(state.running)

    async def _load(self, issuer: TrustedIssuer, state: _State) -> None:
        try:
            state.keys = _import(parse_jwks(await self._fetch(issuer)))
            state.fetched_at, state.trouble = self._clock(), None
        except KrautError as error:
            state.trouble = error
        except Exception as error:  # noqa: BLE001 - whatever it is, the last good keys stay
            state.trouble = KrautError(
                f"{type(error).__name__} while reading the keys of {issuer.url}: a defect, report it"
            )
        finally:
            state.running = None
        self._on_fetch(issuer.url, state.trouble)


def _import(keys: tuple[PublicJwk, ...]) -> Mapping[str, VerificationKey]:
    return {key.kid: VerificationKey(key.alg, _import_key(key.as_dict())) for key in keys if key.alg in VERIFIABLE}


def _import_key(members: Mapping[str, Any]) -> jwk.Key:
    try:
        return jwk.import_key(dict(members))
    except (JoseError, ValueError) as error:
        # For example a point that is not on its curve.
        raise JwksError(f"key {members['kid']} of the JWKS is none: {type(error).__name__}") from None
