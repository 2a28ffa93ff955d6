"""Tokens of one's own: files that rotate, and a cache that tells nothing."""

import asyncio
import gc
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraut_core.errors import TransientError
from kraut_core.identity.errors import CredentialError, ExchangeRefusedError, HomeAudienceError
from kraut_core.identity.sources import (
    LAST_SECONDS,
    RETRY_SECONDS,
    FileTokenSource,
    Token,
    TokenCache,
    check_token_value,
    digest,
    renewal_time,
)

NOW = 1_800_000_000


async def test_a_file_is_read_again_when_the_kubelet_replaced_it(signer, tmp_path):
    file = tmp_path / "token"
    source = FileTokenSource(file)
    for expires in (NOW + 600, NOW + 1200):
        file.write_text(signer.token(aud=["x"], exp=expires) + "\n")
        found = await source.token("x")
        assert found.expires_at == expires
        assert found.value == file.read_text().strip()


@pytest.mark.parametrize("content", [None, "", "not a token", "é", "eyJ.eyJ"])
async def test_a_file_that_holds_no_token_is_said_and_not_shown(tmp_path, content):
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    with pytest.raises(CredentialError, match="token") as caught:
        await FileTokenSource(file).token("x")
    assert not content or content not in str(caught.value)


async def test_a_file_for_another_audience_is_not_sent(signer, tmp_path):
    file = tmp_path / "token"
    file.write_text(signer.token(aud=["y"]))
    with pytest.raises(CredentialError, match="audience x"):
        await FileTokenSource(file).token("x")


@pytest.mark.parametrize("audience", ["https://oidc.east.example.com", ["https://oidc.east.example.com", "y"]])
async def test_a_file_for_its_own_cluster_is_not_sent(signer, tmp_path, audience):
    """What every pod has by default: kube-apiserver takes its issuer for an audience of its own."""
    file = tmp_path / "token"
    file.write_text(signer.token(aud=audience))
    with pytest.raises(HomeAudienceError, match="an audience of its own") as caught:
        await FileTokenSource(file).token(signer.url)
    assert caught.value.reason == "AudienceIsHome"
    assert (await FileTokenSource(file, to_send=False).token(signer.url)).value == file.read_text()


def test_a_token_stands_in_no_repr():
    assert "planted" not in repr(Token("planted", 1.0))


class Fetcher:
    def __init__(self, *results):
        self.results, self.calls, self.hold = list(results), 0, None

    async def __call__(self):
        self.calls += 1
        if self.hold is not None:
            await self.hold.wait()
        result = self.results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result


async def test_a_token_is_fetched_again_before_it_expires():
    now = float(NOW)
    cache = TokenCache(clock=lambda: now)
    fetch = Fetcher(Token("a", NOW + 600), Token("b", NOW + 1200))
    for _ in range(10):
        assert (await cache.get("k", fetch)).value == "a"
    now = NOW + 479.0
    assert (await cache.get("k", fetch)).value == "a"
    now = NOW + 480.0
    assert (await cache.get("k", fetch)).value == "b"
    assert fetch.calls == 2


async def test_a_renewal_that_fails_for_a_while_takes_no_good_token_away():
    """A provider that is away for the last fifth of a token's life is no reason to be without one."""
    now = float(NOW)
    cache = TokenCache(clock=lambda: now)
    away = [TransientError("away") for _ in range(20)]
    fetch = Fetcher(Token("a", NOW + 600), *away)
    await cache.get("k", fetch)
    now = NOW + 481.0
    for _ in range(10):
        assert (await cache.get("k", fetch)).value == "a"
    assert fetch.calls == 2, "nobody waits for the provider each time"
    now += RETRY_SECONDS
    assert (await cache.get("k", fetch)).value == "a"
    assert fetch.calls == 3
    now = NOW + 600 - LAST_SECONDS
    with pytest.raises(TransientError):
        await cache.get("k", fetch)
    fetch.results = [Token("b", NOW + 1200)]
    assert (await cache.get("k", fetch)).value == "b"


async def test_a_token_that_was_refused_its_renewal_is_not_given_again():
    now = float(NOW)
    cache = TokenCache(clock=lambda: now)
    fetch = Fetcher(Token("a", NOW + 600), ExchangeRefusedError("no"), TransientError("away"))
    await cache.get("k", fetch)
    now = NOW + 481.0
    with pytest.raises(ExchangeRefusedError):
        await cache.get("k", fetch)
    now += 30
    with pytest.raises(TransientError):
        await cache.get("k", fetch)


@pytest.mark.parametrize(("life", "wait"), [(3600, 2880), (600, 480), (100, 40), (60, 0), (10, -50), (0, -60)])
def test_the_margin_is_a_minute_or_a_fifth(life, wait):
    assert renewal_time(Token("a", NOW + life), NOW) == NOW + wait


async def test_one_fetch_at_a_time_for_one_key():
    cache, fetch = TokenCache(clock=lambda: NOW), Fetcher(Token("a", NOW + 600))
    fetch.hold = asyncio.Event()
    waiting = [asyncio.create_task(cache.get("k", fetch)) for _ in range(100)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    fetch.hold.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert {token.value for token in found[1:]} == {"a"}
    assert fetch.calls == 1


async def test_what_time_does_not_heal_is_not_asked_again_at_once_and_the_rest_is():
    now = float(NOW)
    cache = TokenCache(clock=lambda: now)
    fetch = Fetcher(ExchangeRefusedError("no"), TransientError("later"), Token("a", NOW + 600))
    for _ in range(5):
        with pytest.raises(ExchangeRefusedError):
            await cache.get("k", fetch)
    assert fetch.calls == 1
    now += 30
    with pytest.raises(TransientError):
        await cache.get("k", fetch)
    assert (await cache.get("k", fetch)).value == "a"


async def test_callers_do_not_get_each_others_tokens():
    cache = TokenCache(clock=lambda: NOW)
    keys = [digest(token, audience, target) for token in "ab" for audience in "xy" for target in "pq"]
    fetches = [Fetcher(Token(key, NOW + 600)) for key in keys]
    for _ in range(2):
        found = await asyncio.gather(*(cache.get(key, fetch) for key, fetch in zip(keys, fetches, strict=True)))
        assert [token.value for token in found] == keys
    assert {fetch.calls for fetch in fetches} == {1}


async def test_the_cache_is_bounded_and_holds_no_subject():
    cache = TokenCache(clock=lambda: NOW, max_entries=10)
    for number in range(100):
        await cache.get(digest(f"subject-{number}", "a", "t"), Fetcher(Token("value", NOW + 600)))
    assert len(cache._entries) == 10
    assert "subject" not in json.dumps({key: str(entry) for key, entry in cache._entries.items()})


@given(st.lists(st.text(max_size=5), min_size=1, max_size=4), st.lists(st.text(max_size=5), min_size=1, max_size=4))
def test_other_parts_are_another_key(first, second):
    assert (digest(*first) == digest(*second)) == (first == second)


@pytest.mark.parametrize("value", [None, "", 7, "a b", "a\r\nX: y", "é", "a" * 40_000])
def test_a_value_that_would_not_fit_a_header_is_refused(value):
    with pytest.raises(ValueError, match="token"):
        check_token_value(value)


async def test_a_fetch_that_fails_for_nobody_is_quiet():
    """Everybody who waited went away; the error must not surface as one that was never looked at."""
    cache, fetch = TokenCache(clock=lambda: NOW), Fetcher(TransientError("later"), Token("a", NOW + 600))
    fetch.hold = asyncio.Event()
    waiting = asyncio.create_task(cache.get("k", fetch))
    await asyncio.sleep(0)
    waiting.cancel()
    unseen = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unseen.append(context))
    fetch.hold.set()
    assert (await asyncio.gather(waiting, return_exceptions=True))[0].__class__ is asyncio.CancelledError
    while cache._running:
        await asyncio.sleep(0)
    gc.collect()
    asyncio.get_running_loop().set_exception_handler(None)
    assert unseen == []
    assert (await cache.get("k", fetch)).value == "a"
