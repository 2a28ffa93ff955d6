"""Whether the claims of a token with a good signature are acceptable: audience, time, subject (pure; RFC 7519, RFC 8725)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kraut_core.identity import errors
from kraut_core.identity.errors import TokenRefusedError
from kraut_core.identity.issuers import TrustedIssuer

MAX_SUBJECT_CHARACTERS: Final = 1024


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """Who it is, said by ``issuer`` for ``audience`` until ``expires_at`` (seconds since 1970)."""

    issuer: str
    subject: str
    audience: str
    expires_at: int
    key_id: str
    claims: Mapping[str, Any] = field(repr=False)


def check_claims(claims: Mapping[str, Any], issuer: TrustedIssuer, *, key_id: str, now: float) -> VerifiedToken:
    """Judge the claims at ``now``. Raises TokenRefusedError; its reason says which rule."""
    audience = _check_audience(claims, issuer)
    expires_at = _check_time(claims, issuer, now)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_CHARACTERS or not subject.isprintable():
        raise TokenRefusedError(
            f"`sub` should be printable text of 1 to {MAX_SUBJECT_CHARACTERS} characters", reason=errors.CLAIMS
        )
    return VerifiedToken(issuer.url, subject, audience, expires_at, key_id, claims)


def _check_audience(claims: Mapping[str, Any], issuer: TrustedIssuer) -> str:
    value = claims.get("aud")
    named = [value] if isinstance(value, str) else value
    if not isinstance(named, list) or not all(isinstance(audience, str) for audience in named):
        raise TokenRefusedError("`aud` should name the audience", reason=errors.AUDIENCE)
    mine: list[str] = [audience for audience in named if audience in issuer.audiences]
    if not mine:
        raise TokenRefusedError(
            f"the token is for another audience; ask for one of {', '.join(sorted(issuer.audiences))}",
            reason=errors.AUDIENCE,
        )
    if len(named) > 1 and not issuer.several_audiences:
        raise TokenRefusedError(
            "the token is for several audiences, each of which could use it here; ask for one of a single audience",
            reason=errors.AUDIENCE,
        )
    return mine[0]


def _check_time(claims: Mapping[str, Any], issuer: TrustedIssuer, now: float) -> int:
    expires_at, issued_at = _seconds(claims, "exp"), _seconds(claims, "iat")
    not_before = _seconds(claims, "nbf") if "nbf" in claims else issued_at
    leeway = issuer.leeway_seconds
    if now >= expires_at + leeway:
        raise TokenRefusedError("the token has expired; get a new one", reason=errors.EXPIRED)
    if max(not_before, issued_at) > now + leeway:
        raise TokenRefusedError("the token is not valid yet; compare the clocks", reason=errors.NOT_YET_VALID)
    if not 0 < expires_at - issued_at <= issuer.max_lifetime_seconds:
        raise TokenRefusedError(
            f"a token should live {issuer.max_lifetime_seconds} s at most; ask for a shorter one",
            reason=errors.LIFETIME,
        )
    return expires_at


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TokenRefusedError(f"`{name}` should be there, in whole seconds", reason=errors.CLAIMS)
    return value
