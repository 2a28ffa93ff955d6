"""Statement 3 at a real kube-apiserver: when it learns of a new key, how long it trusts a removed one, and what makes it forget."""

import asyncio
import base64
import http.client
import json
import ssl
from urllib.parse import urlsplit

import pytest

from kraut_lab.pki import create_signing_key

pytestmark = pytest.mark.sweep

WEST = "https://api.west.example.com"
REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
PATIENCE_SECONDS = 300


@pytest.fixture(scope="module")
def site(own_site):
    return own_site


@pytest.fixture(scope="module")
def west(own_west):
    return own_west


@pytest.fixture
def accepts(west, control_plane):
    """``await accepts(token)``: whether west knows the bearer."""

    def ask(token):
        context = ssl.create_default_context(cafile=str(control_plane.ca))
        connection = http.client.HTTPSConnection(urlsplit(west.url).netloc, context=context, timeout=60)
        try:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            connection.request("POST", REVIEWS, json.dumps(REVIEW), headers)
            return connection.getresponse().status == 201
        finally:
            connection.close()

    return lambda token: asyncio.to_thread(ask, token)


def kid(token):
    return json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "==="))["kid"]


async def until(condition, wanted=True):
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await condition() is not wanted:
            await asyncio.sleep(0.2)


async def test_rotation_as_a_relying_kube_apiserver_sees_it(site, west, accepts, control_plane):
    pki = control_plane.folder / "pki"
    old_key, old_pub = pki / "service-account.key", pki / "service-account.pub"
    new_key, new_pub = create_signing_key(pki, "rotated-east")

    def token():
        return site.server.token("kraut-system", "kraut-worker", WEST)

    async def restart(accepted, signs):
        site.server.kill()
        await asyncio.to_thread(site.server.start, issuer=site.issuer, accepts=accepted, signs=signs)
        # Its own token may be of a removed key: until it has another one the proxy cannot read, and serves what it had.
        site.renew_proxy_identity()

    async def outlive_caches():
        """The keys' max-age, and the 10 s for which kube-apiserver remembers a token that was good."""
        await asyncio.sleep(max(site.max_age_seconds, 10) + 1)

    old = token()
    await until(lambda: accepts(old))

    await restart([new_pub, old_pub], new_key)
    new = token()
    while not await accepts(new):
        assert await accepts(old), "a token of the old key is good all the while"
        await asyncio.sleep(0.2)
    assert await accepts(old)

    await restart([new_pub], new_key)
    await site.published(kid(new))
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
