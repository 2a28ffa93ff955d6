"""A signed JSON web token in compact form (RFC 7515, RFC 7519), taken apart before any key is touched (pure).

RFC 8725: whatever could be read in two ways, or asks for features that kraut does not have, is refused here.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kraut_core.identity.errors import ALGORITHM, MALFORMED, TokenRefusedError
from kraut_core.identity.jwks import decode_base64url
from kraut_core.identity.strictjson import parse_object

MAX_CHARACTERS: Final = 16 * 1024
MAX_KID_CHARACTERS: Final = 256
MAX_SECONDS: Final = 253_402_300_799
"""The end of the year 9999, in seconds since 1970."""
_REFUSED_HEADERS: Final = frozenset({"crit", "b64", "enc", "zip"})
"""``crit``: kraut has no extension that could be critical. The rest belongs to other forms than a signed token."""


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """What a token says of itself; nothing of it is proven. ``jwk``, ``jku``, ``x5u`` and the like are never looked at."""

    compact: str = field(repr=False)
    algorithm: str
    key_id: str
    type: str | None
    issuer: str
    claims: Mapping[str, Any] = field(repr=False)


def read_token(token: str) -> UnverifiedToken:
    """Take a token apart. Raises TokenRefusedError (TokenMalformed, TokenAlgorithmRefused) without anything of it."""
    if len(token) > MAX_CHARACTERS:
        raise TokenRefusedError(f"a token of {MAX_CHARACTERS} characters at most is expected", reason=MALFORMED)
    segments = token.split(".")
    decoded = [decode_base64url(segment) for segment in segments]
    if len(segments) != 3 or None in decoded:
        raise TokenRefusedError("a signed JWT has three base64url segments; this is none", reason=MALFORMED)
    header, claims = (_object(part or b"", what) for part, what in zip(decoded[:2], ("header", "payload"), strict=True))
    if refused := _REFUSED_HEADERS & set(header):
        raise TokenRefusedError(
            f"the header has {', '.join(sorted(refused))}, which is not supported", reason=MALFORMED
        )
    algorithm, key_id, kind, issuer = header.get("alg"), header.get("kid"), header.get("typ"), claims.get("iss")
    if not isinstance(algorithm, str):
        raise TokenRefusedError("the header has no algorithm", reason=ALGORITHM)
    if not isinstance(key_id, str) or not 0 < len(key_id) <= MAX_KID_CHARACTERS:
        raise TokenRefusedError("the header has no key id", reason=MALFORMED)
    if not isinstance(issuer, str) or not (kind is None or isinstance(kind, str)):
        raise TokenRefusedError("the issuer and the type should be text", reason=MALFORMED)
    return UnverifiedToken(token, algorithm, key_id, kind, issuer, claims)


def _object(text: bytes, what: str) -> dict[str, Any]:
    try:
        return parse_object(text, f"the token's {what}")
    except ValueError as error:
        raise TokenRefusedError(str(error), reason=MALFORMED) from None


def expiry(token: str) -> int | None:
    """``exp`` of a token of one's own, unverified, in seconds since 1970 (at most the year 9999); None when it is no JWT or has none."""
    found = (_own_claims(token) or {}).get("exp")
    if not isinstance(found, int) or isinstance(found, bool):
        return None
    return max(0, min(found, MAX_SECONDS))


def audiences(token: str) -> tuple[str, ...] | None:
    """``aud`` of a token of one's own, unverified; empty when it cannot be read, None when it is no JWT."""
    claims = _own_claims(token)
    if claims is None:
        return None
    named = claims.get("aud")
    found = [named] if isinstance(named, str) else named
    return tuple(str(audience) for audience in found) if isinstance(found, list) else ()


def is_for_its_issuer(token: str) -> bool:
    """Whether a token of one's own is for the cluster that signed it, unverified: its issuer is an audience, as kube-apiserver has it
    unless --api-audiences says something else.
    """
    return (_own_claims(token) or {}).get("iss") in (audiences(token) or ())


def _own_claims(token: str) -> Mapping[str, Any] | None:
    """The claims of a JWT of any size and header, since others read it as one; empty when they could be read in two ways."""
    head, payload, *rest = [*token.split("."), "", ""]
    if len(rest) != 3 or not _is_header(head):
        return None
    try:
        return _object(decode_base64url(payload) or b"", "payload")
    except TokenRefusedError:
        return {}


def _is_header(segment: str) -> bool:
    try:
        return isinstance(json.loads(base64.urlsafe_b64decode(segment + "===")), dict)
    except (ValueError, RecursionError):
        return False
