"""Tokens with a right signature and one flaw: what a drill with the issuer's own key can show of a target (pure).

RFC 8725 sections 3.1 (one algorithm per key) and 3.9 (audience), RFC 7515 section 4.1.11 (``crit``), RFC 7519 section 4.1 (time).
"""

from collections.abc import Iterator
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa

from kraut_cli.oidc.forgeries import Forgery, Good, PrivateKey, key_id, sign

ANOTHER_AUDIENCE: Final = "another audience"
NOBODY: Final = "https://kraut.dev/oidc-check"
"""An audience that is nobody's."""
FUTURE_SECONDS: Final = 7200
"""Beyond every leeway."""
LONG_SECONDS: Final = 100 * 86_400
"""A life that nobody grants."""

_RULE: Final = (
    "add the claimValidationRules that `kraut cluster connect --export` prints, or shorten what it trusts otherwise"
)
_BY_DESIGN: Final = (
    "kube-apiserver has no setting against it; it matters only where somebody else could get such a token"
)


def misuses(good: Good, signing: PrivateKey, now: int) -> Iterator[Forgery]:
    """All of them, signed with the issuer's own key ``signing``."""
    header = {"kid": key_id(signing), "typ": "JWT"}
    fresh = {**good.claims, "iat": now, "nbf": now, "exp": now + 600}

    def signed(more: dict[str, Any] | None = None, **claims: Any) -> str:
        return sign(signing, {**header, **(more or {})}, {**fresh, **claims})

    if isinstance(signing, rsa.RSAPrivateKey):
        # The key is right and so is the signature: who accepts it takes one key for several algorithms.
        yield Forgery("PS256 with a key for RS256", signed({"alg": "PS256"}), advice=_BY_DESIGN, tolerable=True)
    yield Forgery("an unknown critical header (crit)", signed({"crit": ["kraut.dev/x"], "kraut.dev/x": 1}))
    yield Forgery(ANOTHER_AUDIENCE, signed(aud=[NOBODY]))
    audience = good.claims.get("aud")
    mine = audience if isinstance(audience, list) else [audience]
    yield Forgery("two audiences", signed(aud=[*mine, NOBODY]), advice=_RULE)
    later = now + FUTURE_SECONDS
    yield Forgery("not valid yet (nbf)", signed(nbf=later, iat=later, exp=later + 600))
    yield Forgery("issued in the future (iat)", signed(iat=later, exp=later + 600), advice=_BY_DESIGN, tolerable=True)
    yield Forgery("a life of 100 days", signed(exp=now + LONG_SECONDS), advice=_RULE)
