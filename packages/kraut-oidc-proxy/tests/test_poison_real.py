"""Statement 4 at the proxy: whatever an API server in trouble, or somebody in its place, answers, the last good keys stay."""

import asyncio
import base64
import gzip
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import RSAKey
from prometheus_client import CollectorRegistry

from kraut_oidc_proxy.issuers import DISCOVERY_PATH, JWKS_PATH, make_issuer
from kraut_oidc_proxy.metrics import ProxyMetrics
from kraut_oidc_proxy.settings import OidcSettings
from kraut_oidc_proxy.testing import PATIENCE_SECONDS, ProxyProcess
from kraut_oidc_proxy.upstream import Upstream

pytestmark = pytest.mark.integration

ISSUER = "https://oidc.example.com"
PRIVATE = RSAKey.import_key(
    rsa.generate_private_key(public_exponent=65537, key_size=2048), {"kid": "a", "alg": "RS256"}
)
PUBLIC = PRIVATE.as_dict(private=False)
GOOD = json.dumps({"keys": [PUBLIC]}).encode()
NEXT = json.dumps({"keys": [PUBLIC, {**PUBLIC, "kid": "next"}]}).encode()
SMALL = {**PUBLIC, "kid": "b", "n": base64.urlsafe_b64encode(b"\xff" * 128).rstrip(b"=").decode()}
BOMB = gzip.compress(b" " * (64 << 20))


def jwks(*keys):
    return json.dumps({"keys": keys}).encode()


def good(reply):
    return reply.status == 200


@pytest.fixture
async def pair(rude, kubeconfig_for, tmp_path):
    """A proxy, and the server that it takes for the API server."""
    async with rude(ISSUER, GOOD) as server:
        settings = {
            "KRAUT_OIDC_ISSUER": ISSUER,
            "KRAUT_KUBE_KUBECONFIG": kubeconfig_for(server),
            "KRAUT_OIDC_TIMEOUT_SECONDS": "2",
            "KRAUT_OIDC_RETAIN_SECONDS": "0",
        }
        async with ProxyProcess.running(settings, tmp_path / "log") as proxy:
            await proxy.until_get(JWKS_PATH, good)
            yield proxy, server


POISON = {
    "HTML with 200": {"body": b"<html>welcome</html>"},
    "an empty body": {"body": b""},
    "a private key": {"body": json.dumps({"keys": [PRIVATE.as_dict(private=True)]}).encode()},
    "a symmetric key": {"body": json.dumps({"keys": [PUBLIC, {"kty": "oct", "kid": "b", "k": "c2VjcmV0"}]}).encode()},
    "an empty set": {"body": b'{"keys":[]}'},
    "RSA 1024": {"body": jwks(PUBLIC, SMALL)},
    "one key id twice": {"body": jwks(PUBLIC, {**PUBLIC, "alg": "RS512"})},
    "deep JSON": {"body": b'{"keys":' + b"[" * 100_000 + b"]" * 100_000 + b"}"},
    "operations that are a number": {"body": jwks(PUBLIC, {**PUBLIC, "kid": "b", "key_ops": 5})},
    "operations that are true": {"body": jwks(PUBLIC, {**PUBLIC, "kid": "b", "key_ops": True})},
    "an algorithm that is a list": {"body": jwks(PUBLIC, {**PUBLIC, "kid": "b", "alg": ["RS256"]})},
    "a type that is an object": {"body": jwks(PUBLIC, {"kid": "b", "kty": {"RSA": 1}})},
    "a modulus that is a number": {"body": jwks(PUBLIC, {**PUBLIC, "kid": "b", "n": 10**300})},
    "a key id that is a number": {"body": jwks(PUBLIC, {**PUBLIC, "kid": 5})},
    "10 MiB": {"body": b" " * (10 << 20)},
    "a gzip bomb": {"body": BOMB, "headers": {"Content-Encoding": "gzip"}},
    "a redirect": {"status": 302, "headers": {"Location": "https://evil.example.com/"}},
    "401": {"status": 401},
    "403": {"status": 403},
    "429": {"status": 429},
    "500": {"status": 500, "body": b"planted-in-an-error"},
}


async def test_poison_keeps_the_last_good_keys(pair):
    """All kinds one after the other, on one proxy; after each of them the server is asked again, and heals at the end."""
    proxy, server = pair
    wanted = await proxy.get(JWKS_PATH)
    for what, answer in POISON.items():
        server.status, server.headers, server.body = (
            answer.get("status", 200),
            answer.get("headers", {}),
            answer.get("body", b""),
        )
        failures = len(proxy.logged("api server not read"))
        await proxy.until(
            lambda failures=failures: len(proxy.logged("api server not read")) > failures, f"refused {what}"
        )
        found = await proxy.get(JWKS_PATH)
        assert (found.status, found.body, found.headers["etag"]) == (200, wanted.body, wanted.headers["etag"]), what
    server.status, server.headers, server.body = 200, {}, NEXT
    changed = await proxy.until_get(JWKS_PATH, lambda reply: len(reply.json()["keys"]) == 2)
    assert changed.headers["etag"] != wanted.headers["etag"]
    for secret in (PRIVATE.as_dict(private=True)["d"], "c2VjcmV0", "planted-in-an-error"):
        assert secret not in proxy.log_text


async def test_a_bomb_costs_no_memory(pair):
    proxy, server = pair
    before = await proxy.metric("process_resident_memory_bytes")
    server.body, server.headers = BOMB, {"Content-Encoding": "gzip"}
    await proxy.until(lambda: len(proxy.logged("api server not read")) >= 3, "refused the bomb three times")
    assert await proxy.metric("process_resident_memory_bytes") < before + (32 << 20)


async def test_private_keys_never_leave_even_at_the_start(rude, kubeconfig_for, tmp_path):
    body = json.dumps({"keys": [PRIVATE.as_dict(private=True)]}).encode()
    async with rude(ISSUER, body) as server:
        settings = {"KRAUT_OIDC_ISSUER": ISSUER, "KRAUT_KUBE_KUBECONFIG": kubeconfig_for(server)}
        async with ProxyProcess.running(settings, tmp_path / "log") as proxy:
            await proxy.until(lambda: bool(proxy.logged("api server not read")), "refused the keys")
            assert (await proxy.get(JWKS_PATH)).status == 503
            assert b"private" in (await proxy.probe("/readyz")).body


async def test_a_slow_api_server_slows_nobody(pair):
    proxy, server = pair
    server.hold = asyncio.Event()
    await proxy.until(lambda: bool(proxy.logged("api server not read")), "noticed that it is slow")
    assert good(await proxy.get(JWKS_PATH))
    server.hold.set()
    server.body = NEXT
    await proxy.until_get(JWKS_PATH, lambda reply: len(reply.json()["keys"]) == 2)


async def test_an_issuer_that_changes_under_it_is_withdrawn_at_once(pair):
    proxy, server = pair
    server.issuer = "https://oidc.example.com/"
    for path in (DISCOVERY_PATH, JWKS_PATH):
        await proxy.until_get(path, lambda reply: reply.status == 503)
    server.issuer = ISSUER
    await proxy.until_get(JWKS_PATH, good)


async def test_garbage_in_place_of_the_discovery_document_keeps_what_was(pair):
    proxy, server = pair
    server.discovery = b"<html>"
    await proxy.until(lambda: bool(proxy.logged("api server not read")), "refused it")
    found = await proxy.get(DISCOVERY_PATH)
    assert found.json()["jwks_uri"] == f"{ISSUER}{JWKS_PATH}"


async def test_a_removed_key_is_withdrawn_at_the_next_read(pair):
    proxy, server = pair
    server.body = NEXT
    await proxy.until_get(JWKS_PATH, lambda reply: len(reply.json()["keys"]) == 2)
    server.body = GOOD
    await proxy.until_get(JWKS_PATH, lambda reply: len(reply.json()["keys"]) == 1)
    assert proxy.logged("keys changed")[-1]["removed"] == ["next"]


async def test_a_defect_of_kraut_in_reading_is_an_error_like_any_other(rude, kubeconfig_for, monkeypatch):
    """Whatever is not foreseen in what an API server answers must not end the process, which holds the last good keys."""
    registry = CollectorRegistry()
    published = []

    async def polled(result):
        labels = {"issuer": ISSUER, "result": result}
        before = registry.get_sample_value("kraut_oidc_polls_total", labels) or 0
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (registry.get_sample_value("kraut_oidc_polls_total", labels) or 0) == before:
                assert not running.done()
                await asyncio.sleep(0.05)

    async with rude(ISSUER, GOOD) as server:
        upstream = Upstream(
            make_issuer(ISSUER, kubeconfig=kubeconfig_for(server)),
            OidcSettings(issuer=ISSUER, poll_seconds=1),
            ProxyMetrics(registry),
            user_agent="kraut-tests/1",
            publish=published.append,
        )
        running = asyncio.create_task(upstream.run())
        await polled("ok")
        with monkeypatch.context() as broken:
            broken.setattr("kraut_core.identity.jwks.parse_jwks", lambda _body: "verify" in 5)
            await polled("InternalError")
        await polled("ok")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert [len(document.keys) for document in published] == [1], "they stayed"
