"""Statements 3 and 4: when keys are fetched, and what poison does."""

import asyncio
import json

import pytest
from joserfc.jwk import RSAKey

from kraut_core.errors import UnreachableError
from kraut_core.identity.errors import IssuerUnavailableError
from kraut_core.identity.issuers import TrustedIssuer
from kraut_core.identity.keys import (
    FIRST_REFETCH_SECONDS,
    MAX_AGE_SECONDS,
    MAX_STALE_SECONDS,
    REFETCH_SECONDS,
    KeyCache,
)

ISSUER = TrustedIssuer(url="https://oidc.example.com", audiences=frozenset({"a"}))


class World:
    """A cache, an issuer that answers as told, and a clock."""

    def __init__(self, body):
        self.body, self.now, self.fetches, self.told = body, 0.0, 0, []
        self.hold = None
        self.cache = KeyCache(self.fetch, clock=lambda: self.now, on_fetch=lambda *call: self.told.append(call))

    async def fetch(self, _issuer):
        self.fetches += 1
        if self.hold is not None:
            await self.hold.wait()
        if isinstance(self.body, Exception):
            raise self.body
        return self.body

    async def has(self, key_id):
        return await self.cache.find(ISSUER, key_id) is not None


@pytest.fixture
def world(signer):
    return World(signer.jwks(signer.rsa))


async def test_keys_are_fetched_once(world):
    for _ in range(100):
        assert await world.has("rsa")
    assert world.fetches == 1
    assert world.told == [(ISSUER.url, None)]


async def test_a_flood_of_unknown_key_ids_refetches_once_a_minute(world):
    assert await world.has("rsa")
    for second in range(301):
        world.now = float(second)
        for number in range(100):
            assert not await world.has(f"{second}-{number}' OR 1=1 ../../{number}")
    assert world.fetches == 1 + 300 // int(REFETCH_SECONDS)


async def test_ten_thousand_at_once_are_one_fetch(world):
    world.hold = asyncio.Event()
    waiting = [asyncio.create_task(world.has("rsa")) for _ in range(10_000)]
    await asyncio.sleep(0)
    world.hold.set()
    assert all(await asyncio.gather(*waiting))
    assert world.fetches == 1


async def test_a_caller_that_goes_away_does_not_take_the_fetch_from_the_others(world):
    world.hold = asyncio.Event()
    first, second = (asyncio.create_task(world.has("rsa")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    world.hold.set()
    assert await second
    assert world.fetches == 1


async def test_a_new_key_is_found_at_once_when_a_minute_has_passed(world, signer):
    assert not await world.has("ec")
    world.body = signer.jwks()
    world.now = REFETCH_SECONDS - 1
    assert not await world.has("ec")
    world.now = REFETCH_SECONDS
    assert await world.has("ec")


async def test_a_removed_key_is_gone_within_ten_minutes(world, signer):
    assert await world.has("rsa")
    world.body = signer.jwks(signer.ec)
    world.now = MAX_AGE_SECONDS - 1
    assert await world.has("rsa")
    world.now = MAX_AGE_SECONDS
    assert not await world.has("rsa")
    assert MAX_AGE_SECONDS < 600


async def test_an_issuer_that_is_away_keeps_its_keys_for_a_day(world):
    assert await world.has("rsa")
    world.body = UnreachableError("away")
    world.now = MAX_STALE_SECONDS
    assert await world.has("rsa")
    world.now = MAX_STALE_SECONDS + 1
    with pytest.raises(IssuerUnavailableError, match="away"):
        await world.has("rsa")
    assert world.fetches < 4


async def test_an_issuer_that_was_never_seen_is_asked_again_soon_but_not_for_every_token(signer):
    world = World(UnreachableError("away"))
    for _ in range(100):
        with pytest.raises(IssuerUnavailableError):
            await world.has("rsa")
    assert world.fetches == 1
    world.now, world.body = FIRST_REFETCH_SECONDS, signer.jwks()
    assert await world.has("rsa")


def poison(signer):
    public = signer.rsa.as_dict(private=False)
    off_curve = signer.ec.as_dict(private=False) | {"y": signer.ec.as_dict(private=False)["x"]}
    yield b"<html>200</html>"
    yield b" " * (10 << 20)
    yield json.dumps({"keys": []}).encode()
    yield json.dumps({"keys": [public, signer.rsa.as_dict(private=True) | {"kid": "b"}]}).encode()
    yield json.dumps({"keys": [public, {"kty": "oct", "k": "AAAA", "kid": "b"}]}).encode()
    yield json.dumps({"keys": [off_curve]}).encode()
    yield json.dumps({"keys": [public, public]}).encode()


async def test_poison_keeps_the_last_good_keys(world, signer):
    assert await world.has("rsa")
    for number, body in enumerate(poison(signer), start=1):
        world.body, world.now = body, world.now + MAX_AGE_SECONDS
        assert await world.has("rsa")
        assert (world.fetches, world.told[-1][1].reason) == (1 + number, "JwksInvalid")


async def test_what_nobody_foresaw_keeps_the_last_good_keys_too(world):
    assert await world.has("rsa")
    world.body, world.now = UnicodeError("label empty or too long"), MAX_AGE_SECONDS
    assert await world.has("rsa")
    assert (world.fetches, world.told[-1][1].reason) == (2, "InternalError")


async def test_keys_for_algorithms_that_are_not_verified_are_left_out(signer):
    okp = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "ed"}
    world = World(json.dumps({"keys": [okp, signer.rsa.as_dict(private=False)]}).encode())
    assert not await world.has("ed")
    assert await world.has("rsa")


async def test_issuers_do_not_share_keys(world, signer):
    other = TrustedIssuer(url="https://other.example.com", audiences=frozenset({"a"}))
    assert await world.has("rsa")
    world.body = signer.jwks(RSAKey.generate_key(2048, {"kid": "theirs", "alg": "RS256"}))
    assert await world.cache.find(other, "rsa") is None
    assert await world.cache.find(other, "theirs") is not None
    assert not await world.has("theirs")
