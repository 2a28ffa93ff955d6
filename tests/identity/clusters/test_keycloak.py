"""Service accounts of east through a real Keycloak, which holds no secret of theirs, to the RBAC of a real kube-apiserver.

https://www.keycloak.org/securing-apps/jwt-authorization-grant, https://www.keycloak.org/securing-apps/token-exchange
"""

import asyncio
import base64
import json
import os
import sys
import time

import pytest
import yaml
from joserfc import jwk, jwt

from kraut_core.identity.adapters.exchange import ExchangeTokenSource
from kraut_core.identity.adapters.http import SafeHttp
from kraut_core.identity.adapters.tokenrequest import TokenRequestSource
from kraut_core.identity.authentication import KEYCLOAK_USER, build_configuration, trust_keycloak
from kraut_core.identity.described import describe_client, describe_exchange
from kraut_core.identity.errors import ExchangeRefusedError
from kraut_core.identity.issuers import parse_networks
from kraut_core.identity.sources import Token
from kraut_core.identity.users import map_service_account
from kraut_core.kube.client import KubeClient
from kraut_core.kube.testing import point_kubeconfig
from kraut_lab.controlplane.anotherserver import AnotherApiServer
from kraut_lab.errors import MissingRequirementError
from kraut_lab.keycloak import GRANT_REALM, REALM, Account, Keycloak

# The first test waits for two kube-apiservers, Dex and Keycloak to start.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

NAMESPACE = "through-keycloak"
ACCOUNTS = f"system:serviceaccount:{NAMESPACE}"
KEYED = f"east:{ACCOUNTS}:keyed"
"""A client of Keycloak with a registered key."""
KEY = jwk.RSAKey.generate_key(2048, {"kid": "keyed-1", "use": "sig", "alg": "RS256"})
REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
WAYS = ("assertion", "keyed", "grant", "exchange")


@pytest.fixture(scope="module")
def keycloak(site, control_plane, authority):
    """Keycloak, which knows the service account `kraut` of this namespace."""
    account = Account("east", site.issuer, f"{ACCOUNTS}:kraut", f"{site.issuer}/openid/v1/jwks")
    keys = {KEYED: KEY.as_dict(private=False)}
    found = Keycloak(control_plane.folder, authority, accounts=[account], audiences=["west", "north"], keys=keys)
    try:
        found.start()
    except MissingRequirementError as error:
        if sys.platform == "linux" and os.geteuid() == 0:
            raise
        pytest.skip(str(error))
    yield found
    found.stop()


@pytest.fixture(scope="module")
def west(site, keycloak, control_plane, tmp_path_factory):
    """A kube-apiserver that trusts both realms of Keycloak, and nobody else."""
    server = AnotherApiServer(control_plane, "behind-keycloak")
    server.file = tmp_path_factory.mktemp("keycloak") / "authentication.yaml"
    entries = [
        trust_keycloak(site.described(keycloak.issuer, "west"), ["east"]),
        trust_keycloak(site.described(keycloak.issuer_of(GRANT_REALM), "west"), ["east"], claim=KEYCLOAK_USER),
    ]
    server.file.write_text(yaml.safe_dump(build_configuration(entries)))
    server.kubeconfig = point_kubeconfig(control_plane.kubeconfig(), server.url, server.file.with_name("kubeconfig"))
    server.start(more={"authentication-config": str(server.file)})
    yield server
    server.kill()


@pytest.fixture(scope="module")
def namespace(admin):
    """Not another one for each test: Keycloak knows its accounts by name."""
    for path, name in (("/api/v1/namespaces", NAMESPACE), *((ACCOUNT_PATH, name) for name in ("kraut", "stranger"))):
        status, answer = admin.request("POST", path, {"metadata": {"name": name}})
        assert status == 201, answer
    yield NAMESPACE
    admin.request("DELETE", f"/api/v1/namespaces/{NAMESPACE}")


ACCOUNT_PATH = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"


class Tokens:
    """``tokens(way)``: a source of Keycloak's tokens, for one of `WAYS`."""

    def __init__(self, keycloak, kube, http, key_file):
        self._keycloak, self._kube, self._http, self._key = keycloak, kube, http, key_file

    def account(self, name="kraut"):
        return TokenRequestSource(self._kube, NAMESPACE, name)

    def __call__(self, way, subject=None, *, scope="west"):
        subject = subject or self.account()
        if way == "exchange":
            inner = self("assertion", subject, scope="north")
            asked = {"grant": "token-exchange", "subject_token_type": "access_token"}
            return self._source(inner, subject, "service_account", scope, **asked, subject_audience="north")
        if way == "grant":
            return self._source(subject, subject, "private_key_jwt", scope, GRANT_REALM, grant="jwt-bearer")
        method = {"assertion": "service_account", "keyed": "private_key_jwt"}[way]
        return self._source(subject, subject, method, scope, grant="client-credentials")

    def _source(self, subject, account, method, scope, realm=REALM, **words):
        issuer = self._keycloak.issuer_of(realm)
        exchange = describe_exchange(
            **{"token_endpoint": self._keycloak.token_endpoint_of(realm), "subject_audience": issuer, **words},
            send_audience=False,
            scope=[scope],
        )
        if method == "service_account":
            plain = describe_exchange(token_endpoint=exchange.token_endpoint, subject_audience=issuer)
            client = describe_client(plain, account, method=method)
        else:
            client = describe_client(
                exchange, account, method=method, client_id=KEYED, key_file=self._key, key_id=KEY.kid
            )
        return ExchangeTokenSource(exchange, subject, client, self._http)


@pytest.fixture
async def tokens(keycloak, site, namespace, tmp_path):
    key_file = tmp_path / "tls.key"
    key_file.write_bytes(KEY.as_pem(private=True))
    async with (
        KubeClient.connect(str(site.kubeconfig)) as kube,
        SafeHttp(networks=parse_networks(["127.0.0.0/8"]), ca_file=site.ca, timeout_seconds=120) as http,
    ):
        yield Tokens(keycloak, kube, http, key_file)


@pytest.fixture
def ask(west, kubectl, tmp_path, site):
    """``ask(token, *words)``: kubectl at west with a token."""

    def run(token, *words):
        config = tmp_path / "token.kubeconfig"
        cluster = {"server": west.url, "certificate-authority": str(site.cluster_ca)}
        document = {
            "current-context": "x",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        }
        config.write_text(json.dumps(document))
        return kubectl(config, *words)

    return run


async def until(condition):
    """Issuers' keys and bindings come into force a moment later."""
    async with asyncio.timeout(300):
        while not (found := await asyncio.to_thread(condition)):
            await asyncio.sleep(0.3)
    return found


@pytest.mark.parametrize("way", WAYS)
async def test_a_token_of_keycloak_ends_in_the_rbac_of_west(way, tokens, ask, west):
    token = (await tokens(way).token("west")).value
    done = await until(lambda: (done := ask(token, "auth", "whoami", "-o", "json")).returncode == 0 and done)
    user = json.loads(done.stdout)["status"]["userInfo"]
    expected = map_service_account("east", f"{ACCOUNTS}:{'keyed' if way == 'keyed' else 'kraut'}")
    assert user["username"] == expected.name
    assert set(user["groups"]) == {*expected.groups, "system:authenticated"}
    assert "Forbidden" in ask(token, "get", "secrets", "-A").stderr


async def test_a_token_for_another_target_is_refused_by_west(tokens, ask):
    for_west, for_north = (
        await tokens("assertion").token("west"),
        await tokens("assertion", scope="north").token("north"),
    )
    await until(lambda: ask(for_west.value, "auth", "whoami").returncode == 0)
    assert "must be logged in" in ask(for_north.value, "auth", "whoami").stderr
    with pytest.raises(ExchangeRefusedError, match="somebody else"):
        await tokens("assertion", scope="north").token("west")


class Fixed:
    """A source of one token."""

    def __init__(self, value):
        self.value = value

    async def token(self, _audience):
        return Token(self.value, 4_000_000_000)


class Forger:
    """Tokens that resemble those of an account, signed with the key of the cluster or with another one."""

    def __init__(self, token, key):
        self._token, self._key = token, key

    def __call__(self, key=None, **changes):
        read = jwt.decode(self._token, self._key, algorithms=["RS256"])
        header = {"alg": "RS256", "kid": read.header["kid"]}
        return Fixed(jwt.encode(header, {**read.claims, **changes}, key or self._key, algorithms=["RS256"]))


@pytest.fixture
def forged(site, control_plane, keycloak, namespace):
    """``forged(realm)``: a Forger of tokens for a realm."""
    key = jwk.RSAKey.import_key((control_plane.folder / "pki" / "service-account.key").read_bytes())
    return lambda realm: Forger(site.server.token(NAMESPACE, "kraut", keycloak.issuer_of(realm)), key)


@pytest.mark.parametrize(
    ("way", "realm", "reason"),
    [("assertion", REALM, "ExchangeClientRefused"), ("grant", GRANT_REALM, "ExchangeSubjectRefused")],
)
async def test_keycloak_refuses_what_it_should_and_says_so_by_class(way, realm, reason, tokens, forged):
    forge, now = forged(realm), int(time.time())
    assert await tokens(way, forge()).token("west"), "what differs below is why it is refused"
    refused = {
        "an account that nobody told Keycloak of": tokens.account("stranger"),
        "signed by somebody else": forge(jwk.RSAKey.generate_key(2048)),
        "expired": forge(exp=now - 60, nbf=now - 700, iat=now - 700),
        "for another audience": forge(aud=["https://api.west.example.com"]),
        "another cluster's": forge(iss="https://oidc.elsewhere.example.com"),
        "another account's subject": forge(sub="system:serviceaccount:kube-system:root"),
    }
    for what, subject in refused.items():
        with pytest.raises(ExchangeRefusedError) as caught:
            await tokens(way, subject).token("west")
        assert caught.value.reason == reason, f"{what}: {caught.value}"
        assert "eyJ" not in str(caught.value)


@pytest.fixture(scope="module")
def target(west):
    """What `connect` connects to."""
    return west


@pytest.fixture
def access(keycloak, site, west):
    """``access(grant_type, authentication)``: of a Cluster by way of Keycloak."""

    def make(grant_type, authentication, *, realm=REALM, account="kraut"):
        provider = {
            "tokenEndpoint": keycloak.token_endpoint_of(realm),
            "caBundle": encoded(site.ca),
            "grantType": grant_type,
            "subjectAudience": keycloak.issuer_of(realm),
            "sendAudience": False,
            "scopes": ["west"],
        }
        server = {"server": west.url, "caBundle": encoded(site.cluster_ca), "audience": "west"}
        shown = {"provider": provider, "clientAuthentication": authentication}
        return {**server, "serviceAccountName": account, **shown}

    return make


def encoded(file):
    return base64.b64encode(file.read_bytes()).decode()


async def test_clusters_are_reached_by_every_way_that_they_can_state(
    desk, access, connect, west, keycloak, control_plane, tmp_path
):
    """The first as `kraut cluster connect` writes it, with no secret anywhere; what it says for west is what west has."""
    by_assertion = access("ClientCredentials", {"method": "ServiceAccount"})
    provider = tmp_path / "provider.yaml"
    provider.write_text(yaml.safe_dump({name: by_assertion[name] for name in ("provider", "clientAuthentication")}))
    trusted = [f"--provider={provider}", f"--provider-issuer={keycloak.issuer}", "--provider-claim=azp"]
    done = connect("assertion", "--audience=west", *trusted, f"--authentication-config={west.file}")
    assert f"{west.file} unchanged" in done.stderr
    status, ready = await desk.until("assertion", "Reachable")
    assert status.username == map_service_account("east", f"{ACCOUNTS}:kraut").name, ready.message
    assert (status.issuer, status.observed_references) == (control_plane.url, [])

    desk.secret("keyed", **{"tls.key": KEY.as_pem(private=True)})
    keyed = {"method": "PrivateKeyJWT", "clientID": KEYED, "keyID": KEY.kid, "secretRef": {"name": "keyed"}}
    for name, grant, realm, account in (
        ("keyed", "ClientCredentials", REALM, "keyed"),
        ("grant", "JWTBearer", GRANT_REALM, "kraut"),
    ):
        await desk.see(name, {"exchange": access(grant, keyed, realm=realm)})
        status, _ = await desk.until(name, "Reachable", issuer=False)
        assert status.username == map_service_account("east", f"{ACCOUNTS}:{account}").name


async def test_a_cluster_says_what_to_do_about_an_account_that_keycloak_does_not_know(desk, access):
    desk.allow_tokens_of("stranger")
    await desk.see(
        "stranger", {"exchange": access("ClientCredentials", {"method": "ServiceAccount"}, account="stranger")}
    )
    _, ready = await desk.until("stranger", "ExchangeClientRefused")
    assert ready.status == "False"
    assert "a client that the provider knows" in ready.message, ready.message


async def test_kubectl_through_kraut_credential(kubectl, through, site, west, keycloak, namespace):
    known = [
        "--audience=west",
        f"--kubeconfig={site.kubeconfig}",
        f"--ca-file={site.ca}",
        "--allow-network=127.0.0.0/8",
    ]
    asked = [f"--token-endpoint={keycloak.token_endpoint}", f"--subject-audience={keycloak.issuer}"]
    asked += [
        "--grant=client-credentials",
        "--client-authentication=service_account",
        "--no-send-audience",
        "--scope=west",
    ]
    config = through(west, f"--service-account={namespace}/kraut", *known, *asked)
    done = await kubectl.until_it_works(config, "auth", "whoami", "-o", "json")
    expected = map_service_account("east", f"{ACCOUNTS}:kraut")
    assert json.loads(done.stdout)["status"]["userInfo"]["username"] == expected.name
    refused = kubectl(through(west, f"--service-account={namespace}/stranger", *known, *asked), "auth", "whoami")
    assert refused.returncode != 0
    assert "invalid_client" in refused.stderr
    assert "eyJ" not in refused.stderr
