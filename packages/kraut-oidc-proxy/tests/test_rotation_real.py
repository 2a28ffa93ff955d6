"""Keys rotated on two real kube-apiservers of one cluster: the union is published, and no request fails in between."""

import asyncio
import contextlib
import ssl

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from kraut_lab.controlplane.anotherserver import AnotherApiServer
from kraut_lab.controlplane.credentials import prepare_credentials
from kraut_lab.pki import create_signing_key
from kraut_oidc_proxy.issuers import JWKS_PATH
from kraut_oidc_proxy.testing import Connection, ProxyProcess

pytestmark = pytest.mark.integration


@pytest.fixture
def second(control_plane):
    server = AnotherApiServer(control_plane, "second")
    yield server
    server.kill()


@contextlib.asynccontextmanager
async def under_load(proxy):
    """Asks all the while; every answer must be 200."""

    async def ask():
        async with Connection.open(proxy.port) as connection:
            while True:
                assert (await connection.get(JWKS_PATH)).status == 200
                await asyncio.sleep(0.02)

    task = asyncio.create_task(ask())
    yield
    assert not task.done() or task.result()
    task.cancel()


def count(number):
    return lambda reply: reply.status == 200 and len(reply.json()["keys"]) == number


async def test_keys_are_rotated_and_every_token_can_be_verified_all_the_time(control_plane, settings, second, tmp_path):
    pki = control_plane.folder / "pki"
    old_pub = pki / "service-account.pub"
    new_key, new_pub = create_signing_key(pki, "rotated")
    own = {"KRAUT_OIDC_API_SERVERS": f"{control_plane.url},{second.url}", "KRAUT_OIDC_RETAIN_SECONDS": "3"}
    async with ProxyProcess.running(settings | own, tmp_path / "log") as proxy:
        before = await proxy.until_get(JWKS_PATH, count(1))
        async with under_load(proxy):
            await asyncio.to_thread(second.start, accepts=[new_pub, old_pub], signs=new_key)
            both = await proxy.until_get(JWKS_PATH, count(2))
            keys = KeySet.import_key_set(both.json())
            kids = set()
            for token in (control_plane.token("worker"), second.token("kraut-system", "kraut-worker", "test")):
                found = jwt.decode(token, keys, algorithms=["RS256"])
                assert found.claims["iss"] == control_plane.url
                kids.add(found.header["kid"])
            assert len(kids) == 2
            second.kill()
            failures = len(proxy.logged("api server not read"))
            await proxy.until(
                lambda: len(proxy.logged("api server not read")) > failures + 3, "noticed that it is gone"
            )
            assert (await proxy.get(JWKS_PATH)).headers["etag"] == both.headers["etag"], "what is away keeps its keys"
            await asyncio.to_thread(second.start, accepts=[old_pub])
            after = await proxy.until_get(JWKS_PATH, count(1))
        assert after.headers["etag"] == before.headers["etag"]
        assert [change["total"] for change in proxy.logged("keys changed")] == [1, 2, 1]


async def test_a_stray_api_server_of_another_issuer_adds_nothing(control_plane, settings, rude, tmp_path):
    """One of the named servers turns out to be another cluster's: its keys are not published, the others' are."""
    pair = prepare_credentials(control_plane.folder / "pki").apiserver
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pair.certificate, pair.key)
    async with rude("https://oidc.example.com/stray", b'{"keys":[]}', tls) as stray:
        own = {"KRAUT_OIDC_API_SERVERS": f"{control_plane.url},{stray.url}"}
        async with ProxyProcess.running(settings | own, tmp_path / "log") as proxy:
            await proxy.until_get(JWKS_PATH, count(1))
            await proxy.until(lambda: bool(proxy.logged("api server not read")), "noticed the stray one")
            assert proxy.logged("api server not read")[-1]["reason"] == "IssuerMismatch"
            assert (await proxy.probe("/readyz")).status == 200
            assert await proxy.metric("kraut_oidc_issuer_match") == 0
            assert stray.calls == 0
