"""Statements 1 and 2: which tokens are accepted, and that nothing else is, each attack by itself."""

import hmac
import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, RSAKey

from kraut_core.errors import InvalidSpecError
from kraut_core.identity import errors
from kraut_core.identity.errors import TokenRefusedError
from kraut_core.identity.issuers import TrustedIssuer
from kraut_core.identity.keys import KeyCache
from kraut_core.identity.verification import Verifier

NOW = 1_800_000_000
AUDIENCE = "https://api.west.example.com"


def trusted(url, **changes):
    return TrustedIssuer(url=url, audiences=frozenset({AUDIENCE}), **changes)


class World:
    """A verifier for one issuer, and the fetches that it made."""

    def __init__(self, signer, **changes):
        self.fetches = 0
        self._jwks = changes.pop("jwks", signer.jwks())
        self._cache = KeyCache(self._fetch, clock=lambda: 0.0)
        self.verifier = Verifier([trusted(signer.url, **changes)], self._cache, clock=lambda: NOW)

    async def _fetch(self, _issuer):
        self.fetches += 1
        return self._jwks

    async def refused(self, token):
        with pytest.raises(TokenRefusedError) as caught:
            await self.verifier.verify(token)
        for part in token.split("."):
            assert len(part) < 8 or part not in str(caught.value)
        return caught.value.reason


@pytest.fixture
def world(signer):
    return World(signer)


async def test_a_good_token_says_who_it_is(world, signer):
    found = await world.verifier.verify(signer.token())
    assert (found.issuer, found.subject, found.audience) == (
        signer.url,
        "system:serviceaccount:kraut-system:kraut-worker",
        AUDIENCE,
    )
    assert (found.expires_at, found.key_id) == (NOW + 600, "rsa")
    assert "claims" not in repr(found)


async def test_each_key_has_its_own_algorithm(world, signer):
    assert (await world.verifier.verify(signer.token({"alg": "ES256", "kid": "ec"}, signer.ec))).key_id == "ec"


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", "NONE", "", "RS256 ", "rs256", None, 1, ["RS256"]])
async def test_no_algorithm_is_no_signature(world, signer, algorithm):
    for signature in (b"", b"signature"):
        token = signer.raw({"alg": algorithm, "kid": "rsa"}, signer.claims(), signature)
        assert await world.refused(token) in (errors.ALGORITHM, errors.MALFORMED)
        assert await world.refused(token.rpartition(".")[0] + ".") == errors.MALFORMED


@pytest.mark.parametrize("form", ["as_pem", "as_der", "as_dict"])
@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_a_public_key_is_no_shared_secret(world, signer, form, algorithm):
    public = getattr(signer.rsa, form)(private=False)
    secret = json.dumps(public).encode() if isinstance(public, dict) else public
    head = signer.raw({"alg": algorithm, "kid": "rsa"}, signer.claims()).rpartition(".")[0]
    mac = hmac.new(secret, head.encode(), f"sha{algorithm[2:]}").digest()
    assert await world.refused(f"{head}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}") == errors.ALGORITHM


@pytest.mark.parametrize(
    ("algorithm", "key_id", "signs"),
    [
        ("PS256", "rsa", "rsa"),
        ("RS384", "rsa", "rsa"),
        ("RS512", "rsa", "rsa"),
        ("RS256", "ec", "rsa"),
        ("ES256", "rsa", "ec"),
    ],
)
async def test_a_key_is_for_one_algorithm_even_where_the_issuer_may_use_others(signer, algorithm, key_id, signs):
    world = World(signer, algorithms=("RS256", "RS384", "RS512", "PS256", "ES256"))
    key = RSAKey.import_key(signer.rsa.as_dict(private=True) | {"alg": algorithm}) if signs == "rsa" else signer.ec
    token = signer.token({"alg": algorithm, "kid": key_id}, key)
    assert await world.refused(token) == errors.ALGORITHM


async def test_an_issuer_has_its_algorithms(signer):
    world = World(signer, algorithms=("ES256",))
    assert await world.refused(signer.token()) == errors.ALGORITHM
    assert world.fetches == 0


async def test_another_key_under_a_known_key_id_does_not_fit(world, signer):
    other = RSAKey.generate_key(2048, {"kid": "rsa", "alg": "RS256"})
    assert await world.refused(signer.token(key=other)) == errors.SIGNATURE
    other_ec = ECKey.generate_key("P-256", {"kid": "ec", "alg": "ES256"})
    assert await world.refused(signer.token({"alg": "ES256", "kid": "ec"}, other_ec)) == errors.SIGNATURE


@pytest.mark.parametrize("position", [0, 1, 2])
async def test_a_changed_token_does_not_fit(world, signer, position):
    parts = signer.token().split(".")
    other = signer.token(sub="system:serviceaccount:kube-system:admin").split(".")
    other[0] = signer.token({"typ": "JWT"}).split(".")[0]
    parts[position] = other[position]
    assert await world.refused(".".join(parts)) == errors.SIGNATURE


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c", "x5t"])
async def test_keys_that_a_token_brings_along_are_ignored(world, signer, name):
    attacker = RSAKey.generate_key(2048, {"kid": "rsa", "alg": "RS256"})
    brought = {
        "jwk": attacker.as_dict(private=False),
        "jku": "https://evil.example.com/jwks",
        "x5u": "https://evil.example.com/chain",
        "x5c": ["AAAA"],
        "x5t": "AAAA",
    }
    token = signer.token({name: brought[name]}, attacker)
    assert await world.refused(token) == errors.SIGNATURE
    assert (await world.verifier.verify(signer.token({name: brought[name]}))).key_id == "rsa"
    assert world.fetches == 1


@pytest.mark.parametrize("extra", [{"crit": ["x"], "x": 1}, {"crit": []}, {"b64": False, "crit": ["b64"]}, {"b64": True}, {"zip": "DEF"}, {"enc": "A256GCM"}])  # fmt: skip
async def test_extensions_and_other_forms_are_refused(world, signer, extra):
    assert await world.refused(signer.raw({"alg": "RS256", "kid": "rsa", **extra}, signer.claims())) == errors.MALFORMED
    assert world.fetches == 0


MALFORMED = {
    "empty": "",
    "one part": "abc",
    "two parts": "abc.def",
    "four parts": "a.b.c.d",
    "JWE": "eyJhbGciOiJkaXIifQ..abcd.abcd.abcd",
    "JSON form": '{"payload":"e30","signatures":[]}',
    "blanks": " e30.e30.e30",
    "a line": "e30.e30.e30\n",
    "padding": "e30=.e30.e30",
    "standard base64": "e30+.e30.e30",
    "other bits behind the last byte": "e31.e30.e30",
    "NUL": "e30.e30.e\0",
    "not ASCII": "e30.e30.é",
    "no objects": "W10.W10.W10",
}


@pytest.mark.parametrize("token", MALFORMED.values(), ids=MALFORMED)
async def test_what_is_no_compact_token_is_refused_before_any_cryptography(world, token):
    assert await world.refused(token) == errors.MALFORMED
    assert world.fetches == 0


async def test_more_than_16_kib_is_refused_before_it_is_read(world, signer):
    assert await world.refused(signer.token(note="x" * 16_384)) == errors.MALFORMED
    assert world.fetches == 0
    assert (await world.verifier.verify(signer.token(note="x" * 10_000))).key_id == "rsa"


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        (b'{"alg":"RS256","kid":"rsa","alg":"none"}', b'{"iss":"a"}'),
        (b'{"alg":"RS256","kid":"rsa"}', b'{"iss":"a","iss":"b"}'),
        (b'{"alg":"RS256","kid":"rsa"}', b'{"iss":"a","exp":NaN}'),
        (b'{"alg":"RS256","kid":"rsa"}', b'{"iss":"a","x":' + b"[" * 3000 + b"]" * 3000 + b"}"),
        (b'{"alg":"RS256","kid":"rsa"}', b'\xff{"iss":"a"}'),
        (b'{"alg":"RS256"}', b'{"iss":"a"}'),
        (b'{"alg":"RS256","kid":""}', b'{"iss":"a"}'),
        (b'{"alg":"RS256","kid":7}', b'{"iss":"a"}'),
        (b'{"alg":"RS256","kid":"rsa"}', b'{"iss":["a"]}'),
        (b'{"alg":"RS256","kid":"rsa"}', b"{}"),
    ],
)
async def test_json_with_two_meanings_is_refused(world, signer, header, claims):
    assert await world.refused(signer.raw(header, claims)) == errors.MALFORMED


@given(st.text(max_size=200) | st.binary(max_size=60).map(lambda raw: f"e30.{raw.hex()}.e30"))
async def test_no_text_raises_anything_else(text):
    async def fetch(_issuer):
        raise AssertionError("nothing may be fetched")

    with pytest.raises(TokenRefusedError):
        await Verifier([trusted("https://a.example.com")], KeyCache(fetch)).verify(text)


@pytest.mark.parametrize(
    "change",
    [
        lambda url: f"{url}/",
        lambda url: f"{url}:443",
        str.upper,
        lambda url: url.replace("https", "http"),
        lambda url: url.replace("east", "%65ast"),
        lambda url: url.replace("east", "e\u0430st"),
        lambda url: f"{url}.evil.example.com",
        lambda url: f"https://evil.example.com/{url}",
        lambda url: f" {url}",
        lambda _: "https://kubernetes.default.svc.cluster.local",
        lambda _: "",
    ],
)
async def test_an_issuer_is_the_same_to_the_byte_and_a_stranger_causes_no_fetch(world, signer, change):
    assert await world.refused(signer.token(iss=change(signer.url))) == errors.UNKNOWN_ISSUER
    assert world.fetches == 0


@pytest.mark.parametrize(
    "audience",
    [..., None, "", [], {}, 7, "https://api.east.example.com", f"{AUDIENCE}/", AUDIENCE[:-1], AUDIENCE.upper(), [AUDIENCE, "https://api.east.example.com"], [AUDIENCE, AUDIENCE], [AUDIENCE, 7], [[AUDIENCE]], {AUDIENCE: 1}],
)  # fmt: skip
async def test_a_token_is_for_this_audience_alone(world, signer, audience):
    assert await world.refused(signer.token(aud=audience)) == errors.AUDIENCE
    assert world.fetches == 0


async def test_an_audience_in_a_list_of_one_is_fine_and_of_several_where_allowed(world, signer):
    assert (await world.verifier.verify(signer.token(aud=[AUDIENCE]))).audience == AUDIENCE
    relaxed = World(signer, several_audiences=True)
    assert (await relaxed.verifier.verify(signer.token(aud=["other", AUDIENCE]))).audience == AUDIENCE
    assert await relaxed.refused(signer.token(aud=["other", "another"])) == errors.AUDIENCE


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exp": NOW - 59, "iat": NOW - 600, "nbf": NOW - 600}, None),
        ({"exp": NOW - 60, "iat": NOW - 600, "nbf": NOW - 600}, errors.EXPIRED),
        ({"exp": ...}, errors.CLAIMS),
        ({"exp": str(NOW + 600)}, errors.CLAIMS),
        ({"exp": NOW + 600.5}, errors.CLAIMS),
        ({"exp": True}, errors.CLAIMS),
        ({"exp": None}, errors.CLAIMS),
        ({"exp": [NOW + 600]}, errors.CLAIMS),
        ({"exp": 10**400}, errors.LIFETIME),
        ({"exp": -1}, errors.EXPIRED),
        ({"iat": ...}, errors.CLAIMS),
        ({"iat": 1.5}, errors.CLAIMS),
        ({"iat": NOW + 60, "nbf": ...}, None),
        ({"iat": NOW + 61, "nbf": ...}, errors.NOT_YET_VALID),
        ({"nbf": ...}, None),
        ({"nbf": NOW + 60}, None),
        ({"nbf": NOW + 61}, errors.NOT_YET_VALID),
        ({"nbf": "now"}, errors.CLAIMS),
        ({"iat": NOW - 3000, "exp": NOW + 600}, None),
        ({"iat": NOW - 3001, "exp": NOW + 600}, errors.LIFETIME),
        ({"iat": NOW + 30, "exp": NOW + 30}, errors.LIFETIME),
        ({"sub": ...}, errors.CLAIMS),
        ({"sub": ""}, errors.CLAIMS),
        ({"sub": 7}, errors.CLAIMS),
        ({"sub": "a\nb"}, errors.CLAIMS),
        ({"sub": "a\u202eb"}, errors.CLAIMS),
        ({"sub": "a" * 1025}, errors.CLAIMS),
    ],
)
async def test_time_and_subject(world, signer, changes, reason):
    token = signer.token(**changes)
    if reason is None:
        assert (await world.verifier.verify(token)).key_id == "rsa"
    else:
        assert await world.refused(token) == reason


async def test_infinity_is_no_time(world, signer):
    text = json.dumps(signer.claims()).replace(str(NOW + 600), "1e400").encode()
    assert await world.refused(signer.raw({"alg": "RS256", "kid": "rsa"}, text)) == errors.CLAIMS


@pytest.mark.parametrize(("kind", "accepted"), [("JWT", True), ("jwt", True), ("at+jwt", False), ("logout+jwt", False)])
async def test_a_token_of_another_type_is_refused(world, signer, kind, accepted):
    token = signer.token({"typ": kind})
    if accepted:
        await world.verifier.verify(token)
    else:
        assert await world.refused(token) == errors.CLAIMS


async def test_a_symmetric_key_among_the_issuers_keys_accepts_nothing(signer):
    secret = OctKey.generate_key(256, {"kid": "shared"})
    poisoned = json.dumps({"keys": [secret.as_dict(private=True), signer.rsa.as_dict(private=False)]}).encode()
    world = World(signer, jwks=poisoned)
    with pytest.raises(errors.IssuerUnavailableError):
        await world.verifier.verify(signer.token())


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://a.example.com"},
        {"url": "https://a.example.com?x"},
        {"url": "https://A.example.com"},
        {"audiences": frozenset()},
        {"audiences": frozenset({""})},
        {"algorithms": ()},
        {"algorithms": ("HS256",)},
        {"algorithms": ("none",)},
        {"discovery_url": "http://a.example.com"},
    ],
)
def test_an_issuer_that_would_accept_too_much_is_refused(changes):
    with pytest.raises(InvalidSpecError):
        TrustedIssuer(**{"url": "https://a.example.com", "audiences": frozenset({AUDIENCE}), **changes})


def test_an_issuer_stands_there_once():
    with pytest.raises(InvalidSpecError, match="twice"):
        Verifier([trusted("https://a.example.com"), trusted("https://a.example.com")], KeyCache(None))
