"""JSON Web Key Sets (RFC 7517): read one, keep its public signature keys and nothing else (pure).

Used where keys are published (kraut-oidc-proxy) and where tokens are verified: both refuse the same poison.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kraut_core.errors import PermanentError
from kraut_core.identity.strictjson import parse_object

MAX_BYTES: Final = 512 * 1024
MAX_KEYS: Final = 100
MAX_KID_CHARACTERS: Final = 256
MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 16_384

PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
"""Of RFC 7518 section 6, RFC 8037 and ML-DSA's ``priv``: a set with one of them is no public document."""

RSA_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_EC: Final = {"P-256": ("ES256", 32), "P-384": ("ES384", 48), "P-521": ("ES512", 66)}
_OKP: Final = {"Ed25519": 32, "Ed448": 57}
_AKP: Final = {"ML-DSA-44": 1312, "ML-DSA-65": 1952, "ML-DSA-87": 2592}

_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]+")
_TEXTS: Final = frozenset({"kty", "use", "alg", "crv"})
_KID: Final = re.compile(r"[\x21-\x7e]+")


class JwksError(PermanentError):
    """A key set that must not be used or published; the last good one stays."""

    default_reason = "JwksInvalid"


@dataclass(frozen=True, slots=True)
class PublicJwk:
    """One public signature key. ``members`` are those of its type (``n`` and ``e``, ``crv``, ``x``, ``y``, ``pub``)."""

    kid: str
    kty: str
    alg: str
    members: tuple[tuple[str, str], ...]

    def as_dict(self) -> dict[str, str]:
        """The JWK to publish: allow-listed members only."""
        return {"use": "sig", "kty": self.kty, "kid": self.kid, "alg": self.alg, **dict(self.members)}


def parse_jwks(body: bytes) -> tuple[PublicJwk, ...]:
    """The public signature keys of a set, by key id.

    Keys for encryption and of types or algorithms that kraut does not know are left out (RFC 7517 section 5). One bad
    key spoils the set: private members, a symmetric key or algorithm, RSA below 2048 bits, a malformed number, a key
    id that is missing or there twice, a member of another type than RFC 7517 says. Raises JwksError for that, and for a set that is empty or too large.
    """
    if len(body) > MAX_BYTES:
        raise JwksError(f"a JWKS of {MAX_BYTES} bytes at most is expected, found {len(body)} or more")
    try:
        entries = parse_object(body, "the JWKS").get("keys")
    except ValueError as error:
        raise JwksError(str(error)) from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise JwksError("the JWKS should have a list of objects under `keys`")
    if len(entries) > MAX_KEYS:
        raise JwksError(f"a JWKS of {MAX_KEYS} keys at most is expected, found {len(entries)}")
    _refuse_secrets(entries)
    _check_types(entries)
    keys = [key for entry in entries if (key := _parse_key(entry)) is not None]
    if not keys:
        raise JwksError("the JWKS has no public signature key that kraut knows")
    if len({key.kid for key in keys}) != len(keys):
        raise JwksError("the JWKS has two keys with one key id")
    return tuple(sorted(keys, key=lambda key: key.kid))


def _refuse_secrets(entries: list[Mapping[str, Any]]) -> None:
    for entry in entries:
        # Case folded: a lenient reader on the other side might take `D` for `d`.
        if entry.get("kty") == "oct" or {name.lower() for name in entry} & PRIVATE_MEMBERS:
            raise JwksError(
                "the JWKS holds private or symmetric key material: whoever read it has it; replace these keys now"
            )
        if str(entry.get("alg", "")).upper().startswith("HS"):
            raise JwksError("the JWKS names a symmetric algorithm for a public key")


def _check_types(entries: list[Mapping[str, Any]]) -> None:
    for entry in entries:
        for name in _TEXTS & set(entry):
            if not isinstance(entry[name], str):
                raise JwksError(f"member `{name}` of a key should be text (RFC 7517 section 4)")
        operations = entry.get("key_ops", [])
        if not isinstance(operations, list) or not all(isinstance(operation, str) for operation in operations):
            raise JwksError("member `key_ops` of a key should be a list of text (RFC 7517 section 4.3)")


def _parse_key(entry: Mapping[str, Any]) -> PublicJwk | None:
    operations = entry.get("key_ops")
    if entry.get("use", "sig") != "sig" or (operations is not None and "verify" not in operations):
        return None
    parser = {"RSA": _parse_rsa, "EC": _parse_ec, "OKP": _parse_okp, "AKP": _parse_akp}.get(str(entry.get("kty")))
    if parser is None:
        return None
    permitted, members = parser(entry)
    algorithm = entry.get("alg", permitted[0] if permitted else None)
    if algorithm not in permitted:
        return None
    return PublicJwk(
        _kid(entry), str(entry["kty"]), str(algorithm), tuple((name, str(entry[name])) for name in members)
    )


def _kid(entry: Mapping[str, Any]) -> str:
    kid = entry.get("kid")
    if not isinstance(kid, str) or not _KID.fullmatch(kid) or len(kid) > MAX_KID_CHARACTERS:
        raise JwksError(f"every key should have a `kid` of 1 to {MAX_KID_CHARACTERS} printable characters")
    return kid


Parsed = tuple[tuple[str, ...], tuple[str, ...]]
"""The algorithms a key can be for, the default first, and the members that make it up."""


def _parse_rsa(entry: Mapping[str, Any]) -> Parsed:
    modulus, exponent = _number(entry, "n"), _number(entry, "e")
    if not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS or modulus % 2 == 0:
        raise JwksError(f"an RSA key should have {MIN_RSA_BITS} to {MAX_RSA_BITS} bits, found {modulus.bit_length()}")
    if exponent < 3 or exponent % 2 == 0 or exponent.bit_length() > 64:
        raise JwksError("the public exponent of an RSA key should be odd and between 3 and 2^64")
    return RSA_ALGORITHMS, ("n", "e")


def _parse_ec(entry: Mapping[str, Any]) -> Parsed:
    known = _EC.get(str(entry.get("crv")))
    if known is None:
        return (), ()
    algorithm, size = known
    if {len(_octets(entry, "x")), len(_octets(entry, "y"))} != {size}:
        raise JwksError(f"the coordinates of a key on {entry['crv']} should have {size} bytes")
    return (algorithm,), ("crv", "x", "y")


def _parse_okp(entry: Mapping[str, Any]) -> Parsed:
    size = _OKP.get(str(entry.get("crv")))
    if size is None:
        return (), ()
    if len(_octets(entry, "x")) != size:
        raise JwksError(f"a key on {entry['crv']} should have {size} bytes")
    return ("EdDSA",), ("crv", "x")


def _parse_akp(entry: Mapping[str, Any]) -> Parsed:
    size = _AKP.get(str(entry.get("alg")))
    if size is None:
        return (), ()
    if len(_octets(entry, "pub")) != size:
        raise JwksError(f"an {entry['alg']} key should have {size} bytes")
    return (str(entry["alg"]),), ("pub",)


def _number(entry: Mapping[str, Any], name: str) -> int:
    octets = _octets(entry, name)
    if octets[:1] == b"\0":
        raise JwksError(f"member `{name}` of a key should have no leading zero (RFC 7518 section 2)")
    return int.from_bytes(octets, "big")


def _octets(entry: Mapping[str, Any], name: str) -> bytes:
    value = entry.get(name)
    octets = decode_base64url(value) if isinstance(value, str) else None
    if not octets:
        raise JwksError(f"member `{name}` of a key should be base64url without padding")
    return octets


def decode_base64url(text: str) -> bytes | None:
    """The bytes, or None unless ``text`` is the one canonical base64url form without padding (RFC 7515 section 2)."""
    if not _BASE64URL.fullmatch(text):
        return None
    try:
        octets = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        return None
    return octets if base64.urlsafe_b64encode(octets).rstrip(b"=").decode() == text else None
