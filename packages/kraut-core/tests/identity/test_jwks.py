"""What counts as a public key set (statement 4: JWKS poison)."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from kraut_core.identity.jwks import MAX_BYTES, PRIVATE_MEMBERS, JwksError, decode_base64url, parse_jwks

RSA = RSAKey.import_key(rsa.generate_private_key(public_exponent=65537, key_size=2048)).as_dict(private=False)
SMALL = {"kty": "RSA", "e": "AQAB", "n": base64.urlsafe_b64encode(b"\xff" * 128).rstrip(b"=").decode()}
EVEN = base64.urlsafe_b64encode(b"\xff" * 255 + b"\xfe").rstrip(b"=").decode()
EC = ECKey.import_key(ec.generate_private_key(ec.SECP256R1())).as_dict(private=False)
ED = OKPKey.import_key(ed25519.Ed25519PrivateKey.generate()).as_dict(private=False)
GOOD = {**RSA, "kid": "a", "use": "sig", "alg": "RS256"}


def jwks(*keys):
    return json.dumps({"keys": keys}).encode()


def test_a_key_keeps_its_own_members_only():
    odd = {**GOOD, "x5u": "https://evil.example.com", "x5c": ["AAAA"], "note": {"deep": 1}, "key_ops": ["verify"]}
    [key] = parse_jwks(jwks(odd))
    assert key.as_dict() == GOOD


def test_what_is_published_is_what_a_library_reads():
    keys = parse_jwks(jwks(GOOD, {**EC, "kid": "b"}, {**ED, "kid": "c"}))
    found = KeySet.import_key_set({"keys": [key.as_dict() for key in keys]})
    assert [key.alg for key in found.keys] == ["RS256", "ES256", "EdDSA"]
    assert not any(key.is_private for key in found.keys)


@pytest.mark.parametrize(
    ("what", "key"),
    [
        ("for encryption", {**GOOD, "kid": "z", "use": "enc", "alg": "RSA-OAEP"}),
        ("for signing only", {**GOOD, "kid": "z", "key_ops": ["sign"]}),
        ("of an unknown type", {"kty": "NEW", "kid": "z"}),
        ("of an unknown curve", {"kty": "EC", "kid": "z", "crv": "secp256k1", "x": "AA", "y": "AA"}),
        ("of an unknown algorithm", {**GOOD, "kid": "z", "alg": "RS1"}),
        ("of a curve with another's algorithm", {**EC, "kid": "z", "alg": "ES384"}),
        ("RSA with an algorithm of EC", {**GOOD, "kid": "z", "alg": "ES256"}),
    ],
)
def test_a_key_that_is_not_for_us_is_left_out(what, key):
    assert [found.kid for found in parse_jwks(jwks(GOOD, key))] == ["a"]


@pytest.mark.parametrize(
    ("what", "body", "words"),
    [
        ("a page", b"<html>200 OK</html>", "should be JSON"),
        ("not UTF-8", b'{"keys":"\xff"}', "should be JSON"),
        ("no object", b"[]", "JSON object"),
        ("no keys", b"{}", "list of objects"),
        ("empty", jwks(), "no public signature key"),
        ("not keys", b'{"keys":[1]}', "list of objects"),
        ("two sets", b'{"keys":[],"keys":[]}', "twice"),
        ("deep", b'{"keys":' + b"[" * 5000 + b"]" * 5000 + b"}", "JSON|deeper"),
        ("deep, but not too deep for a parser", b'{"keys":' + b"[" * 50 + b"]" * 50 + b"}", "deeper"),
        ("NaN", b'{"keys":[],"x":NaN}', "NaN"),
        ("10 MiB", b" " * (10 << 20), "bytes at most"),
        ("101 keys", jwks(*({**GOOD, "kid": str(n)} for n in range(101))), "100 keys"),
        ("symmetric", jwks(GOOD, {"kty": "oct", "k": "AAAA", "kid": "b"}), "private or symmetric"),
        ("symmetric without its value", jwks(GOOD, {"kty": "oct", "kid": "b"}), "private or symmetric"),
        ("a symmetric algorithm", jwks({**GOOD, "alg": "HS256"}), "symmetric"),
        ("an unknown type with a private part", jwks(GOOD, {"kty": "NEW", "priv": "AA"}), "private or symmetric"),
        ("an encryption key with a private part", jwks(GOOD, {**GOOD, "use": "enc", "d": "AA"}), "private"),
        ("RSA 1024", jwks({**SMALL, "kid": "a"}), "2048"),
        ("an even modulus", jwks({**GOOD, "n": EVEN}), "bits"),
        ("exponent 1", jwks({**GOOD, "e": "AQ"}), "exponent"),
        ("padded numbers", jwks({**GOOD, "e": "AQAB="}), "base64url"),
        ("leading zeros", jwks({**GOOD, "e": "AAEAAQ"}), "leading zero"),
        ("numbers as numbers", jwks({**GOOD, "e": 65537}), "base64url"),
        ("half a point", jwks({**EC, "kid": "a", "y": "AAAA"}), "32 bytes"),
        ("half a key", jwks({**ED, "kid": "a", "x": "AAAA"}), "32 bytes"),
        ("no key id", jwks(RSA), "kid"),
        ("an empty key id", jwks({**GOOD, "kid": ""}), "kid"),
        ("a key id with a line", jwks({**GOOD, "kid": "a\nb"}), "kid"),
        ("a long key id", jwks({**GOOD, "kid": "a" * 257}), "kid"),
        ("one key id twice", jwks(GOOD, {**EC, "kid": "a"}), "one key id"),
        ("operations that are a number", jwks(GOOD, {**EC, "kid": "b", "key_ops": 5}), "key_ops"),
        ("operations that are true", jwks(GOOD, {**EC, "kid": "b", "key_ops": True}), "key_ops"),
        ("operations that are text", jwks(GOOD, {**EC, "kid": "b", "key_ops": "verify"}), "key_ops"),
        ("operations that are an object", jwks(GOOD, {**EC, "kid": "b", "key_ops": {"verify": 1}}), "key_ops"),
        ("operations that are no text", jwks(GOOD, {**EC, "kid": "b", "key_ops": ["verify", 5]}), "key_ops"),
        ("a type that is a list", jwks(GOOD, {**EC, "kid": "b", "kty": ["EC"]}), "kty"),
        ("a use that is a list", jwks(GOOD, {**EC, "kid": "b", "use": ["sig"]}), "use"),
        ("an algorithm that is a list", jwks(GOOD, {**EC, "kid": "b", "alg": ["ES256"]}), "alg"),
        ("no algorithm, as null", jwks(GOOD, {**EC, "kid": "b", "alg": None}), "alg"),
        ("a curve that is an object", jwks(GOOD, {**EC, "kid": "b", "crv": {"P-256": 1}}), "crv"),
        ("a coordinate that is a number", jwks(GOOD, {**EC, "kid": "b", "x": 5}), "`x`"),
    ],
)
def test_poison_is_refused(what, body, words):
    with pytest.raises(JwksError, match=words):
        parse_jwks(body)


@pytest.mark.parametrize("member", [*sorted(PRIVATE_MEMBERS), "D", "Oth"])
def test_private_material_spoils_the_set_and_stands_in_no_error(member):
    with pytest.raises(JwksError) as caught:
        parse_jwks(jwks(GOOD, {**EC, "kid": "b", member: "cGxhbnRlZA"}))
    assert "cGxhbnRlZA" not in str(caught.value)


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_else(body):
    with pytest.raises(JwksError):
        parse_jwks(body)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from([*RSA.values()]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = st.sampled_from(["kty", "kid", "use", "alg", "key_ops", "n", "e", "crv", "x", "y", *PRIVATE_MEMBERS])


@given(st.sampled_from([GOOD, EC, ED, SMALL]), st.dictionaries(MEMBERS, JSON, max_size=3), st.text(max_size=5), JSON)
def test_whatever_a_key_holds_only_public_members_come_out(base, changes, name, value):
    try:
        keys = parse_jwks(jwks({**base, "kid": "k", **changes, name: value}))
    except JwksError:
        return
    for key in keys:
        assert set(key.as_dict()) <= {"kty", "kid", "use", "alg", "n", "e", "crv", "x", "y", "pub"}
        assert all(isinstance(member, str) for member in key.as_dict().values())


@given(st.binary(min_size=1, max_size=64))
def test_base64url_has_one_form(octets):
    text = base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
    assert decode_base64url(text) == octets
    assert decode_base64url(text + "=") is None
    assert decode_base64url(f" {text}") is None


def test_other_bits_behind_the_last_byte_are_another_form():
    assert decode_base64url("AQ") == b"\x01"
    assert decode_base64url("AR") is None
    assert MAX_BYTES < 10 << 20
