"""Tokens that nobody may accept, made from a good one (RFC 8725 section 2; pure but for random keys)."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from kraut_core.identity.jwks import PublicJwk, decode_base64url

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
EXPIRED_SECONDS: Final = 7200
"""How long ago a forged token expired: beyond every leeway."""
_PSS: Final = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256().digest_size)
REPORT: Final = "take the issuer out of its AuthenticationConfiguration now, and report it"
_CURVES: Final[Mapping[str, tuple[str, hashes.HashAlgorithm]]] = {
    "secp256r1": ("ES256", hashes.SHA256()),
    "secp384r1": ("ES384", hashes.SHA384()),
    "secp521r1": ("ES512", hashes.SHA512()),
}


@dataclass(frozen=True, slots=True)
class Forgery:
    """``only``: whether what ``name`` says is the one thing wrong with it, so that a refusal proves that this is checked.

    ``advice``: what to do when it is accepted, ``tolerable``: whether that is worth a warning only.
    """

    name: str
    token: str = field(repr=False)
    only: bool = True
    advice: str = REPORT
    tolerable: bool = False


@dataclass(frozen=True, slots=True)
class Good:
    """A token that is accepted, decoded, and the published key that it was signed with."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any] = field(repr=False)
    compact: str = field(repr=False)
    key: PublicJwk | None


def read_good(token: str, keys: tuple[PublicJwk, ...]) -> Good:
    """Take a good token apart."""
    header, claims = (json.loads(decode_base64url(part) or b"{}") for part in token.split(".")[:2])
    return Good(header, claims, token, next((key for key in keys if key.kid == header.get("kid")), None))


def forge(
    good: Good, *, signing: PrivateKey | None = None, removed: PrivateKey | None = None, now: int
) -> Iterator[Forgery]:
    """All forgeries. ``signing``: the issuer's own key, for those whose signature is right; ``removed``: one that was removed."""
    if removed is not None:
        # First: an unknown key id would make the target fetch keys, and so forget this one.
        token = sign(removed, {"kid": key_id(removed), "typ": "JWT"}, good.claims)
        yield Forgery("a removed key", token, advice="make it forget the key: `kraut oidc forget-keys`")
    stranger = _stranger(str(good.header.get("alg")))
    yield from _without_signature(good)
    yield from _with_public_key(good)
    same_kid = {"kid": good.header.get("kid"), "typ": "JWT"}
    yield Forgery("a stranger's key under a known key id", sign(stranger, same_kid, good.claims))
    yield Forgery(
        "a stranger's key in the header (jwk)", sign(stranger, {**same_kid, "jwk": _jwk(stranger)}, good.claims)
    )
    yield Forgery("an unknown key id", sign(stranger, {"kid": key_id(stranger), "typ": "JWT"}, good.claims))
    subject = {**good.claims, "sub": "system:serviceaccount:kube-system:default"}
    head, _, signature = good.compact.split(".")
    yield Forgery("another subject under the same signature", f"{head}.{_encode(subject)}.{signature}")
    issuer = {**good.claims, "iss": f"{good.claims['iss']}/"}
    expired = {
        **good.claims,
        "iat": now - 2 * EXPIRED_SECONDS,
        "nbf": now - 2 * EXPIRED_SECONDS,
        "exp": now - EXPIRED_SECONDS,
    }
    for name, claims in (("another issuer (a slash more)", issuer), ("expired", expired)):
        key = signing or stranger
        yield Forgery(name, sign(key, {"kid": key_id(key), "typ": "JWT"}, claims), only=signing is not None)


def _without_signature(good: Good) -> Iterator[Forgery]:
    for algorithm in ("none", "nOnE"):
        header = {"alg": algorithm, "kid": good.header.get("kid"), "typ": "JWT"}
        yield Forgery(f"alg {algorithm}", f"{_encode(header)}.{_encode(good.claims)}.")


def _with_public_key(good: Good) -> Iterator[Forgery]:
    """HS256 keyed with what everybody knows, in each form in which a confused library might hold it."""
    if good.key is None:
        return
    head = _encode({"alg": "HS256", "kid": good.key.kid, "typ": "JWT"}) + "." + _encode(good.claims)
    for form, secret in _public_forms(good.key):
        signature = hmac.new(secret, head.encode(), hashlib.sha256).digest()
        yield Forgery(f"HS256 with the public key ({form})", f"{head}.{_base64url(signature)}")


def _public_forms(key: PublicJwk) -> Iterator[tuple[str, bytes]]:
    members = key.as_dict()
    yield "JWK", json.dumps(members, separators=(",", ":")).encode()
    if key.kty == "RSA":
        numbers = rsa.RSAPublicNumbers(
            *(int.from_bytes(decode_base64url(str(members[name])) or b"", "big") for name in ("e", "n"))
        )
        public = numbers.public_key()
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        yield "PEM", public.public_bytes(serialization.Encoding.PEM, form)
        yield "DER", public.public_bytes(serialization.Encoding.DER, form)


def sign(key: PrivateKey, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """A token in compact form, RS256 (PS256 when the header says so) or by the key's curve (RFC 7518)."""
    if isinstance(key, rsa.RSAPrivateKey):
        text = f"{_encode({'alg': 'RS256', **header})}.{_encode(claims)}"
        scheme = _PSS if header.get("alg") == "PS256" else padding.PKCS1v15()
        return f"{text}.{_base64url(key.sign(text.encode(), scheme, hashes.SHA256()))}"
    algorithm, digest = _CURVES[key.curve.name]
    text = f"{_encode({'alg': algorithm, **header})}.{_encode(claims)}"
    size = (key.curve.key_size + 7) // 8
    numbers = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(digest)))
    return f"{text}.{_base64url(b''.join(number.to_bytes(size, 'big') for number in numbers))}"


def key_id(key: PrivateKey) -> str:
    """The key id that kube-apiserver gives the public part: SHA-256 of its DER form."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return _base64url(hashlib.sha256(key.public_key().public_bytes(serialization.Encoding.DER, form)).digest())


def _stranger(algorithm: str) -> PrivateKey:
    """A new key of the kind that the issuer has, so that nothing but the key is another."""
    curves: dict[str, ec.EllipticCurve] = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
    if curve := curves.get(algorithm):
        return ec.generate_private_key(curve)
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _jwk(key: PrivateKey) -> dict[str, str]:
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
    point, size = public.public_numbers(), (public.curve.key_size + 7) // 8
    return {"kty": "EC", "crv": f"P-{public.curve.key_size}", "x": _number(point.x, size), "y": _number(point.y, size)}


def _number(value: int, size: int = 0) -> str:
    return _base64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def _encode(document: Mapping[str, Any]) -> str:
    return _base64url(json.dumps(document, separators=(",", ":")).encode())


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
