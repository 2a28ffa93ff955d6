"""A service account of cluster east acts in cluster west, with no secret of west in east: real API servers, real TLS, a real Dex."""

import asyncio
import http.client
import json
import ssl
from urllib.parse import urlsplit

import pytest
import yaml

from kraut_core.identity import errors
from kraut_core.identity.adapters.exchange import ExchangeTokenSource
from kraut_core.identity.adapters.http import SafeHttp
from kraut_core.identity.adapters.keys import fetch_keys
from kraut_core.identity.authentication import build_configuration, trust_cluster, trust_provider
from kraut_core.identity.clientauth import ClientAuthentication
from kraut_core.identity.errors import ExchangeRefusedError, TokenRefusedError
from kraut_core.identity.exchange import dex_exchange
from kraut_core.identity.issuers import parse_networks
from kraut_core.identity.keys import KeyCache
from kraut_core.identity.sources import Token
from kraut_core.identity.users import map_service_account
from kraut_core.identity.verification import Verifier
from kraut_lab.controlplane.anotherserver import AnotherApiServer
from kraut_lab.daemon import Daemon

pytestmark = pytest.mark.integration

SUBJECT = "system:serviceaccount:kraut-system:kraut-worker"
WEST = "https://api.west.example.com"


@pytest.fixture
async def safe_http(site):
    async with SafeHttp(networks=parse_networks(["127.0.0.0/8"]), ca_file=site.ca, timeout_seconds=120) as found:
        yield found


@pytest.fixture
def exchanged(site, safe_http, east_worker):
    """``exchanged(...)``: a source of Dex's tokens for the client ``west``."""

    def make(*, subject=None, client="west", secret_file=None, connector="east"):
        exchange = dex_exchange(
            site.dex.token_endpoint,
            connector_id=connector,
            subject_audience=site.dex.issuer,
            scope=("openid", "profile", "federated:id"),
        )
        authentication = ClientAuthentication(
            method="client_secret_basic",
            client_id=client,
            secret_file=secret_file or site.dex.secret_file(client),
        )
        return ExchangeTokenSource(exchange, subject or east_worker, authentication, safe_http)

    return make


class Fixed:
    """A source of one token."""

    def __init__(self, value):
        self.value = value

    async def token(self, _audience):
        return Token(self.value, 4_000_000_000)


def verifier(*issuers):
    return Verifier(issuers, KeyCache(fetch_keys))


async def test_a_service_account_token_is_verified_through_the_proxy(site, east_worker):
    token = await east_worker.token(WEST)
    found = await verifier(site.trust(site.issuer, WEST)).verify(token.value)
    assert (found.issuer, found.subject) == (site.issuer, SUBJECT)
    with pytest.raises(TokenRefusedError) as caught:
        await verifier(site.trust(site.issuer, "https://api.north.example.com")).verify(token.value)
    assert caught.value.reason == errors.AUDIENCE


async def test_it_is_exchanged_at_dex_for_one_that_west_trusts(site, exchanged):
    source = exchanged()
    token = await source.token("west")
    found = await verifier(site.trust(site.dex.issuer, "west")).verify(token.value)
    assert found.claims["preferred_username"] == SUBJECT
    assert found.claims["federated_claims"] == {"connector_id": "east", "user_id": SUBJECT}
    assert found.expires_at == pytest.approx(token.expires_at, abs=2)
    assert await source.token("west") is token, "cached"
    with pytest.raises(TokenRefusedError):
        await verifier(site.trust(site.issuer, "west")).verify(token.value)


async def test_dex_refuses_what_it_should_and_says_so_by_class(site, exchanged, control_plane, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("not-the-secret")
    foreign = Fixed(control_plane.token("worker", audience=site.dex.issuer))
    for source, reason in (
        (exchanged(secret_file=wrong), "ExchangeClientRefused"),
        (exchanged(connector="north"), "ExchangeRequestInvalid"),
        (exchanged(subject=foreign), "ExchangeDenied"),
        (exchanged(subject=Fixed("e30.e30.e30")), "ExchangeDenied"),
    ):
        with pytest.raises(ExchangeRefusedError) as caught:
            await source.token("west")
        assert caught.value.reason == reason
        assert "eyJ" not in str(caught.value)
        assert "not-the-secret" not in str(caught.value)


async def test_a_token_for_another_target_is_never_used(exchanged):
    with pytest.raises(ExchangeRefusedError, match="somebody else"):
        await exchanged(client="north").token("west")


def ask(server, ca, token, path, body=None):
    """One request to an API server with a bearer token."""
    context = ssl.create_default_context(cafile=str(ca))
    connection = http.client.HTTPSConnection(urlsplit(server.url).netloc, context=context, timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        connection.request("POST" if body else "GET", path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


async def asked(*arguments):
    return await asyncio.to_thread(ask, *arguments)


REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


async def until_known(server, ca, token):
    """An API server looks for the keys of its issuers in the background after its start."""
    async with asyncio.timeout(150):
        while True:
            status, answer = await asked(server, ca, token, REVIEWS, REVIEW)
            if status == 201:
                return answer["status"]["userInfo"]
            await asyncio.sleep(0.2)


async def test_both_ways_end_in_the_same_user_and_the_rbac_of_west(site, west, east_worker, exchanged, control_plane):
    direct, through_dex = (await east_worker.token(WEST)).value, (await exchanged().token("west")).value
    for token in (direct, through_dex):
        user = await until_known(west, control_plane.ca, token)
        expected = map_service_account("east", SUBJECT)
        assert user["username"] == expected.name == f"kraut:east:{SUBJECT}"
        assert set(user["groups"]) == {*expected.groups, "system:authenticated"}
        assert (await asked(west, control_plane.ca, token, "/api/v1/namespaces/kube-system"))[0] == 403
    binding = {
        "metadata": {"name": "east-views"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": f"kraut:east:{SUBJECT}"}],
    }
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    assert west.admin.create(path, binding)
    try:
        for token in (direct, through_dex):
            async with asyncio.timeout(150):
                while (await asked(west, control_plane.ca, token, "/api/v1/namespaces/kube-system"))[0] != 200:
                    await asyncio.sleep(0.2)
            assert (await asked(west, control_plane.ca, token, "/api/v1/secrets"))[0] == 403
    finally:
        west.admin.delete(f"{path}/east-views")


@pytest.fixture
def north(site, control_plane):
    """A kube-apiserver to which east is called elsewhere, and whose mapping of Dex's tokens somebody has opened."""
    opened = trust_provider(site.described(site.dex.issuer, "west"), ["east"])
    opened["issuer"] |= {"audiences": ["west", "north"], "audienceMatchPolicy": "MatchAny"}
    opened["claimMappings"] = {
        "username": {"expression": "claims.aud == 'west' ? claims.preferred_username : 'somebody'"},
        "groups": {"expression": "claims.aud == 'west' ? ['some'] : ['some', 'system:masters']"},
    }
    config = site.folder / "opened.yaml"
    entries = [trust_cluster(site.described(site.issuer, WEST), "elsewhere"), opened]
    config.write_text(yaml.safe_dump(build_configuration(entries)))
    server = AnotherApiServer(control_plane, "north")
    server.start(more={"authentication-config": str(config)})
    yield server
    server.kill()


async def test_nobody_becomes_one_of_kubernetes_own_whatever_the_mapping(
    site, north, east_worker, exchanged, control_plane
):
    """Statement 7: east's account has another name where east has another name; rules refuse what a wrong mapping would give."""
    user = await until_known(north, control_plane.ca, (await east_worker.token(WEST)).value)
    assert (
        user["username"] == map_service_account("elsewhere", SUBJECT).name != map_service_account("east", SUBJECT).name
    )
    log = Daemon(control_plane.folder, "kube-apiserver-north")
    refusals = {"west": "users of other clusters", "north": "groups of other clusters"}
    for client, refusal in refusals.items():
        token = (await exchanged(client=client).token(client)).value
        async with asyncio.timeout(150):
            while f"{refusal} do not begin with system:" not in log.log_tail(10_000):
                assert (await asked(north, control_plane.ca, token, REVIEWS, REVIEW))[0] == 401
                await asyncio.sleep(0.2)


def two_audiences(server):
    spec = {"audiences": [WEST, "https://api.north.example.com"], "expirationSeconds": 3600}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    path = "/api/v1/namespaces/kraut-system/serviceaccounts/kraut-worker/token"
    return server.admin.create(path, body)["status"]["token"]


async def test_west_refuses_what_is_not_for_it(site, west, east_worker, exchanged, control_plane):
    known = (await east_worker.token(WEST)).value
    await until_known(west, control_plane.ca, known)
    head, payload, signature = known.split(".")
    refused = {
        "east's own audience": (await east_worker.token(site.issuer)).value,
        "another cluster's audience": (await east_worker.token("https://api.north.example.com")).value,
        "another client of Dex": (await exchanged(client="north").token("north")).value,
        "two audiences at once": two_audiences(site.server),
        "a changed signature": f"{head}.{payload}.{signature[:-8]}AAAAAAAA",
        "a token that lives two hours": site.server.token("kraut-system", "kraut-worker", WEST, seconds=7200),
    }
    for what, token in refused.items():
        assert (await asked(west, control_plane.ca, token, REVIEWS, REVIEW))[0] == 401, what
