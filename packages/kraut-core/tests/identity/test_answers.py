"""What a provider answers is judged before anything of it is used or sent on (statements 5 and 8)."""

import json

import pytest

from kraut_core.identity.compact import audiences, expiry
from kraut_core.identity.errors import ExchangeRefusedError, ExchangeUnavailableError
from kraut_core.identity.exchange import Exchange, parse_answer

NOW = 1_800_000_000.0
EXCHANGE = Exchange(token_endpoint="https://sts.example.com/token", subject_audience="sts")
HUGE = 10**400
YEAR_10000 = 253_402_300_800


def parse(value, status=200, headers=None, **more):
    document = {"access_token": value, "token_type": "Bearer", "expires_in": 600} | more
    return parse_answer(
        EXCHANGE, status, headers or {}, json.dumps(document).encode(), audience="west", secrets=(), now=NOW
    )


def test_a_lifetime_that_no_clock_has_is_bounded(signer):
    assert NOW < parse("opaque", expires_in=HUGE).expires_at < YEAR_10000
    assert parse(signer.raw({"alg": "RS256", "kid": "a"}, {"aud": "west", "exp": HUGE})).expires_at == NOW + 600
    assert parse(signer.raw({"alg": "RS256", "kid": "a"}, {"aud": "west", "exp": -HUGE})).expires_at <= NOW
    assert expiry(signer.raw({}, {"exp": HUGE})) == YEAR_10000 - 1
    assert parse("opaque", expires_in=-HUGE).expires_at == NOW


@pytest.mark.parametrize(
    ("after", "seconds"),
    [("5", 5), ("0", 0), ("9" * 5000, None), ("-1", None), ("\u0663", None), ("Fri, 31 Dec 1999 23:59:59 GMT", None)],
)
def test_a_provider_says_when_to_come_back_or_it_does_not(after, seconds):
    with pytest.raises(ExchangeUnavailableError) as caught:
        parse("x", status=503, headers={"Retry-After": after})
    assert caught.value.retry_after_seconds == seconds


HEADERS = {"with a key id": {"alg": "RS256", "kid": "a"}, "without": {"alg": "RS256"}, "with little": {"typ": 7}}


@pytest.mark.parametrize("header", [pytest.param(header, id=name) for name, header in HEADERS.items()])
@pytest.mark.parametrize("padding", [0, 20_000])
def test_a_token_for_another_target_is_never_sent_on(signer, header, padding):
    claims = {"exp": NOW + 600, "note": "x" * padding}
    with pytest.raises(ExchangeRefusedError) as caught:
        parse(signer.raw(header, {**claims, "aud": "east"}))
    assert caught.value.reason == "ExchangeTargetRefused"
    assert parse(signer.raw(header, {**claims, "aud": ["east", "west"]})).value


def test_a_token_whose_audience_cannot_be_read_is_for_somebody_else(signer):
    twice = b'{"aud":"west","aud":"east"}'
    for payload in (twice, b"[]", b"none", b'{"aud":7}', b"{}"):
        with pytest.raises(ExchangeRefusedError):
            parse(signer.raw({"alg": "RS256"}, payload))
    unusual = signer.raw({"alg": "RS256"}, {"aud": "east"}).replace(".", "=.", 1)
    with pytest.raises(ExchangeRefusedError):
        parse(unusual)


def test_what_is_opaque_is_the_targets_to_judge():
    for value in ("opaque", "a.b", "a.b.c", "1.2.3.4.5"):
        assert parse(value).value == value
        assert (audiences(value), expiry(value)) == (None, None)
