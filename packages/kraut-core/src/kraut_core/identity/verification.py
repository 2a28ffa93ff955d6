"""Verify a token of a trusted issuer (RFC 7519, RFC 8725)."""

import time
from collections.abc import Callable, Iterable

from joserfc import jws
from joserfc.errors import JoseError

from kraut_core.identity import errors
from kraut_core.identity.claims import VerifiedToken, check_claims
from kraut_core.identity.compact import MAX_CHARACTERS, UnverifiedToken, read_token
from kraut_core.identity.errors import TokenRefusedError
from kraut_core.identity.issuers import TrustedIssuer, by_url
from kraut_core.identity.keys import KeyCache, VerificationKey


class _Registry(jws.JWSRegistry):
    """Sizes are bounded before; unknown headers carry nothing that is looked at."""

    max_header_length = MAX_CHARACTERS
    max_signature_length = MAX_CHARACTERS


class Verifier:
    """Verifies tokens of the configured issuers. The order matters: cheap checks first, no network for strangers."""

    def __init__(
        self, issuers: Iterable[TrustedIssuer], keys: KeyCache, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Raises InvalidSpecError when an issuer stands there twice."""
        self._issuers = by_url(issuers)
        self._keys = keys
        self._clock = clock

    async def verify(self, token: str) -> VerifiedToken:
        """Who the bearer is. Raises TokenRefusedError (answer 401) or IssuerUnavailableError (answer 503)."""
        unverified = read_token(token)
        issuer = self._issuers.get(unverified.issuer)
        if issuer is None:
            raise TokenRefusedError("the token's issuer is not trusted here", reason=errors.UNKNOWN_ISSUER)
        if unverified.algorithm not in issuer.algorithms:
            raise TokenRefusedError(
                f"tokens of {issuer.url} are signed with {' or '.join(issuer.algorithms)}", reason=errors.ALGORITHM
            )
        if unverified.type is not None and unverified.type.lower() not in issuer.types:
            raise TokenRefusedError("the token is of another type", reason=errors.CLAIMS)
        # Before the keys are asked for: what is expired or for somebody else shall not cause a fetch.
        verified = check_claims(unverified.claims, issuer, key_id=unverified.key_id, now=self._clock())
        key = await self._keys.find(issuer, unverified.key_id)
        if key is None:
            raise TokenRefusedError(f"{issuer.url} has no such key", reason=errors.UNKNOWN_KEY)
        check_signature(unverified, key)
        return verified


def check_signature(token: UnverifiedToken, key: VerificationKey) -> None:
    """Raises TokenRefusedError unless ``key`` made the signature, with the one algorithm that it is for."""
    if token.algorithm != key.algorithm:
        raise TokenRefusedError("the key is for another algorithm", reason=errors.ALGORITHM)
    registry = _Registry(algorithms=[key.algorithm], strict_check_header=False)
    try:
        jws.deserialize_compact(token.compact, key.key, registry=registry)
    except (JoseError, ValueError, TypeError):
        raise TokenRefusedError("the signature does not fit", reason=errors.SIGNATURE) from None
