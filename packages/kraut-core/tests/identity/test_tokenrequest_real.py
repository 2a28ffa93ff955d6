"""Tokens of real service accounts of a real kube-apiserver, verified with its own keys."""

import pytest

from kraut_core.errors import ForbiddenError, NotFoundError
from kraut_core.identity import errors
from kraut_core.identity.adapters.tokenrequest import TokenRequestSource
from kraut_core.identity.errors import HomeAudienceError, TokenRefusedError
from kraut_core.identity.issuers import TrustedIssuer
from kraut_core.identity.keys import KeyCache
from kraut_core.identity.verification import Verifier
from kraut_core.kube.client import KubeClient
from kraut_core.kube.config import find_access
from kraut_core.kube.transport import Transport

pytestmark = pytest.mark.integration

SUBJECT = "system:serviceaccount:kraut-system:kraut-worker"


@pytest.fixture
async def kube(control_plane):
    async with KubeClient.connect(str(control_plane.kubeconfig())) as client:
        yield client


@pytest.fixture
async def verify(control_plane):
    """``verify(token, audience)`` with the keys that the API server shows."""
    transport = Transport(
        find_access(str(control_plane.kubeconfig())), user_agent="t", timeout_seconds=60, one_shot=True
    )
    await transport.open()

    async def fetch(_issuer):
        return await transport.read("/openid/v1/jwks", max_bytes=1 << 20)

    async def check(token, audience):
        issuer = TrustedIssuer(url=control_plane.url, audiences=frozenset({audience}))
        return await Verifier([issuer], KeyCache(fetch)).verify(token)

    yield check
    await transport.close()


async def test_a_token_is_for_the_audience_that_was_asked_for(kube, verify):
    source = TokenRequestSource(kube, "kraut-system", "kraut-worker")
    token = await source.token("https://api.west.example.com")
    found = await verify(token.value, "https://api.west.example.com")
    assert (found.subject, found.expires_at) == (SUBJECT, token.expires_at)
    assert found.claims["kubernetes.io"]["serviceaccount"]["name"] == "kraut-worker"
    with pytest.raises(TokenRefusedError) as caught:
        await verify(token.value, "https://api.east.example.com")
    assert caught.value.reason == errors.AUDIENCE
    assert await source.token("https://api.west.example.com") is token, "cached"
    assert (await source.token("https://api.east.example.com")).value != token.value


async def test_a_token_that_lives_too_long_is_refused(kube, verify):
    token = await TokenRequestSource(kube, "kraut-system", "kraut-worker", expiration_seconds=7200).token("a")
    with pytest.raises(TokenRefusedError) as caught:
        await verify(token.value, "a")
    assert caught.value.reason == errors.LIFETIME


async def test_an_account_that_is_not_there_or_not_allowed(kube, control_plane):
    with pytest.raises(NotFoundError):
        await TokenRequestSource(kube, "kraut-system", "nobody").token("a")
    async with KubeClient.connect(str(control_plane.kubeconfig("operator"))) as operator:
        with pytest.raises(ForbiddenError):
            await TokenRequestSource(operator, "kraut-system", "kraut-worker").token("a")


async def test_a_token_that_acts_at_home_is_given_to_nobody_who_sends_it(kube, control_plane, verify):
    source = TokenRequestSource(kube, "kraut-system", "kraut-worker")
    with pytest.raises(HomeAudienceError):
        await source.token(control_plane.url)
    assert await source.token("https://api.west.example.com")
    at_home = TokenRequestSource(kube, "kraut-system", "kraut-worker", to_send=False)
    assert await verify((await at_home.token(control_plane.url)).value, control_plane.url)
