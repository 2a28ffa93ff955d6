"""Forged tokens are what they say: kraut's own verification refuses each, for that reason."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kraut_cli.oidc.forgeries import forge, key_id, read_good, sign
from kraut_cli.oidc.misuses import misuses
from kraut_core.identity import errors
from kraut_core.identity.errors import TokenRefusedError
from kraut_core.identity.issuers import TrustedIssuer
from kraut_core.identity.jwks import parse_jwks
from kraut_core.identity.keys import KeyCache
from kraut_core.identity.verification import Verifier

ISSUER, WEST = "https://oidc.east.example.com", "https://api.west.example.com"
NOW = 1_800_000_000
CLAIMS = {"iss": ISSUER, "sub": "system:serviceaccount:a:b", "aud": [WEST], "iat": NOW, "nbf": NOW, "exp": NOW + 600}

REASONS = {
    "a removed key": errors.UNKNOWN_KEY,
    "alg none": errors.MALFORMED,
    "alg nOnE": errors.MALFORMED,
    "HS256 with the public key (JWK)": errors.ALGORITHM,
    "HS256 with the public key (PEM)": errors.ALGORITHM,
    "HS256 with the public key (DER)": errors.ALGORITHM,
    "a stranger's key under a known key id": errors.SIGNATURE,
    "a stranger's key in the header (jwk)": errors.SIGNATURE,
    "an unknown key id": errors.UNKNOWN_KEY,
    "another subject under the same signature": errors.SIGNATURE,
    "another issuer (a slash more)": errors.UNKNOWN_ISSUER,
    "expired": errors.EXPIRED,
}
MISUSES = {
    "PS256 with a key for RS256": errors.ALGORITHM,
    "an unknown critical header (crit)": errors.MALFORMED,
    "another audience": errors.AUDIENCE,
    "two audiences": errors.AUDIENCE,
    "not valid yet (nbf)": errors.NOT_YET_VALID,
    "issued in the future (iat)": errors.NOT_YET_VALID,
    "a life of 100 days": errors.LIFETIME,
}


def public(key):
    import base64  # noqa: PLC0415

    numbers = key.public_key().public_numbers()

    def number(value):
        return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()

    if isinstance(key, rsa.RSAPrivateKey):
        return {
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "kid": key_id(key),
            "n": number(numbers.n),
            "e": number(numbers.e),
        }
    coordinates = {
        name: base64.urlsafe_b64encode(value.to_bytes(32, "big")).rstrip(b"=").decode()
        for name, value in (("x", numbers.x), ("y", numbers.y))
    }
    return {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": key_id(key), **coordinates}


@pytest.fixture(params=["RSA", "EC"])
def key(request):
    if request.param == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


async def test_each_forgery_is_refused_for_what_it_is(key):
    body = json.dumps({"keys": [public(key)]}).encode()

    async def fetch(_issuer):
        return body

    issuer = TrustedIssuer(url=ISSUER, audiences=frozenset({WEST}))
    verifier = Verifier([issuer], KeyCache(fetch), clock=lambda: NOW)
    good = sign(key, {"kid": key_id(key), "typ": "JWT"}, CLAIMS)
    assert (await verifier.verify(good)).subject == CLAIMS["sub"]
    removed = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    decoded = read_good(good, parse_jwks(body))
    forgeries = [*forge(decoded, signing=key, removed=removed, now=NOW), *misuses(decoded, key, NOW)]
    reasons = REASONS | MISUSES
    wanted = {name for name in reasons if "PEM" not in name and "DER" not in name and "RS256" not in name}
    assert {forgery.name for forgery in forgeries} == (set(reasons) if isinstance(key, rsa.RSAPrivateKey) else wanted)
    for forgery in forgeries:
        assert forgery.only
        assert forgery.token not in repr(forgery)
        with pytest.raises(TokenRefusedError) as caught:
            await verifier.verify(forgery.token)
        assert caught.value.reason == reasons[forgery.name], forgery.name


def test_without_the_key_it_is_said_that_the_signature_is_wrong_too(key):
    good = sign(key, {"kid": key_id(key), "typ": "JWT"}, CLAIMS)
    weak = [forgery.name for forgery in forge(read_good(good, ()), now=NOW) if not forgery.only]
    assert weak == ["another issuer (a slash more)", "expired"]
