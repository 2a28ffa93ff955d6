"""The rotation drill of docs/identity.md in its order, with requests all the while; and statement 3 at a relying kube-apiserver."""

import asyncio
import base64
import json
import ssl
import time
from contextlib import asynccontextmanager

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from tests.identity.reviews import Reviewer

from kraut_cli.oidc.forgeries import key_id
from kraut_core.kube.client import KubeClient
from kraut_lab.pki import create_signing_key
from kraut_oidc_proxy.issuers import JWKS_PATH

pytestmark = pytest.mark.sweep

WEST = "https://api.west.example.com"
PATIENCE_SECONDS = 300
REMEMBERED_SECONDS = 10
"""For so long kube-apiserver knows that a token was good without looking at it again."""


@pytest.fixture(scope="module")
def site(own_site):
    return own_site


@pytest.fixture(scope="module")
def west(own_west):
    return own_west


@pytest.fixture
def accepts(west, control_plane):
    """``await accepts(token)``: whether west knows the bearer."""
    return Reviewer(west.url, control_plane.ca)


def kid(token):
    return json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "==="))["kid"]


async def until(condition, wanted=True):
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await condition() is not wanted:
            await asyncio.sleep(0.2)


class Proxy:
    """What the proxy publishes, beside what the API server shows."""

    def __init__(self, site):
        self._site, self._tls = site, ssl.create_default_context(cafile=str(site.ca))

    async def publishes(self, key):
        """Whether a key is public, and for how long others may then go on without it."""
        reply = await self._site.proxy.get(JWKS_PATH, tls=self._tls)
        assert reply.headers["cache-control"] == f"public, max-age={self._site.max_age_seconds}"
        return key in {shown["kid"] for shown in reply.json()["keys"]}

    async def publishes_in_time(self, key):
        """The key stands at the API server: the first read that begins from now on makes it public, within poll + max-age."""
        async with KubeClient.connect(str(self._site.kubeconfig)) as kube:
            shown = json.loads(await kube.transport.read(JWKS_PATH, max_bytes=1 << 20))
        assert key in {one["kid"] for one in shown["keys"]}
        appeared = time.monotonic()
        for _ in range(2):  # the first may have begun before
            await self._another_read()
        assert await self.publishes(key), "a read that began after the key appeared did not publish it"
        assert time.monotonic() - appeared <= self._site.poll_seconds + self._site.max_age_seconds

    async def _another_read(self):
        before = await self._last_success()

        async def later():
            return await self._last_success() != before

        await until(later)

    async def _last_success(self):
        return await self._site.proxy.metric("kraut_oidc_last_success_timestamp_seconds")


class Load:
    """Somebody who goes on using ``tokens`` at west, and reads the keys as a relying party does; ``failures`` says what went wrong."""

    def __init__(self, site, accepts):
        self.tokens = {}
        self.failures = []
        self.rounds = 0
        self._site, self._accepts = site, accepts
        self._tls = ssl.create_default_context(cafile=str(site.ca))

    @asynccontextmanager
    async def running(self):
        going = asyncio.create_task(self._run())
        try:
            yield self
            assert not going.done(), going
        finally:
            going.cancel()
            await asyncio.gather(going, return_exceptions=True)

    async def go_on(self, rounds=20):
        """Wait until everything was asked so many times more."""
        wanted = self.rounds + rounds
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.rounds < wanted:
                await asyncio.sleep(0.1)

    async def _run(self):
        while True:
            for name, token in tuple(self.tokens.items()):
                if not await self._accepts(token):
                    self.failures.append(f"{name} was refused in round {self.rounds}")
            if (await self._site.proxy.get(JWKS_PATH, tls=self._tls)).status != 200:
                self.failures.append(f"no keys in round {self.rounds}")
            self.rounds += 1


async def test_the_rotation_drill_and_what_a_relying_kube_apiserver_trusts(site, accepts, west, control_plane):
    pki = control_plane.folder / "pki"
    old_key, old_pub = pki / "service-account.key", pki / "service-account.pub"
    new_key, new_pub = create_signing_key(pki, "rotated-east")
    new_kid = key_id(load_pem_private_key(new_key.read_bytes(), None))

    def token():
        return site.server.token("kraut-system", "kraut-worker", WEST)

    async def restart(accepted, signs):
        site.server.kill()
        await asyncio.to_thread(site.server.start, issuer=site.issuer, accepts=accepted, signs=signs)
        # Its own token may be of a removed key: until it has another one the proxy cannot read, and serves what it had.
        site.renew_proxy_identity()

    async def outlive_caches():
        await asyncio.sleep(max(site.max_age_seconds, REMEMBERED_SECONDS) + 1)

    old = token()
    await until(lambda: accepts(old))
    load = Load(site, accepts)
    async with load.running():
        load.tokens["the token of the old key"] = old
        # 1. The new key becomes public, the old one signs; then others have had the time to look.
        await restart([old_pub, new_pub], old_key)
        await Proxy(site).publishes_in_time(new_kid)
        await site.published(kid(old), new_kid)
        assert kid(token()) == kid(old)
        await outlive_caches()
        # 2. The new key signs, and its tokens are used from the first moment on.
        await restart([old_pub, new_pub], new_key)
        new = token()
        assert kid(new) == new_kid
        load.tokens["the token of the new key"] = new
        await load.go_on()
        # 3. Nobody uses a token of the old key any more, and it is removed.
        del load.tokens["the token of the old key"]
        await restart([new_pub], new_key)
        await site.published(new_kid)
        load.tokens["a later token"] = token()
        await load.go_on()
    assert load.failures == []

    await outlive_caches()
    assert await accepts(old), "cached keys are tried before their age is looked at (kubernetes/kubernetes#142100)"
    config = site.folder / "authentication.yaml"
    before = config.read_text()
    config.write_text(before.replace("3600 s at most", "an hour at most"))
    assert config.read_text() != before
    await until(lambda: accepts(old), wanted=False)
    await until(lambda: accepts(new))

    await restart([old_pub], old_key)
    await site.published(kid(old))
    await outlive_caches()
    assert await accepts(new), "removed, and still trusted"
    await until(lambda: accepts(token()))
    await until(lambda: accepts(new), wanted=False)
