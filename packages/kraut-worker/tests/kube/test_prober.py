"""Looking at whatever answers in an API server's place: real TLS on loopback, answers that no API server gives."""

import base64
import json
import ssl
from urllib.parse import parse_qs

import pytest
import yaml
from aiohttp import web

from kraut_core.api.v1alpha1.cluster import Access
from kraut_core.errors import ApiServerError, PermanentError
from kraut_core.identity.issuers import parse_networks
from kraut_core.kube.client import KubeClient
from kraut_core.kube.explicit import Endpoint, explicit_access
from kraut_core.kube.transport import Transport
from kraut_lab.pki import CertificateAuthority
from kraut_worker.adapters.kube import Accesses, HttpsClusterProber
from kraut_worker.ports import ClusterSighting, ClusterTarget

pytestmark = pytest.mark.integration

REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
DISCOVERY = "/.well-known/openid-configuration"
GOOD = {
    REVIEW: {"status": {"userInfo": {"username": "jane"}}},
    "/version": {"gitVersion": "v1.37.2"},
    "/readyz": {},
    DISCOVERY: {"issuer": "https://oidc.west.example.com"},
}
DEEP = b"[" * 50_000
NOT_JSON = (b"", b"<html>", b"[]", b"\xff", b'"\xff"', DEEP, b'{"status":' + DEEP)
NO_REVIEW = (
    b"{}",
    b'{"status":null}',
    b'{"status":[]}',
    b'{"kind":"Status","status":"Success"}',
    b'{"status":{"userInfo":null}}',
    b'{"status":{"userInfo":{"username":""}}}',
    b'{"status":{"userInfo":{"username":null}}}',
    b'{"status":{"userInfo":{"username":7}}}',
)


class Impostor:
    """An HTTPS server with a trusted certificate; ``answers`` by path: a body, a status, or a function of what was sent."""

    def __init__(self):
        self.answers = {path: json.dumps(document).encode() for path, document in GOOD.items()}

    async def handle(self, request):
        answer = self.answers[request.path]
        if callable(answer):
            return answer(await request.read())
        if isinstance(answer, int):
            return web.json_response({"kind": "Status", "message": "no"}, status=answer)
        return web.Response(body=answer)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return CertificateAuthority(tmp_path_factory.mktemp("pki"), "ca")


@pytest.fixture
async def impostor(authority):
    pair = authority.issue("impostor", "impostor", hosts=("localhost",))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pair.certificate, pair.key)
    server = Impostor()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    server.url = f"https://localhost:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


@pytest.fixture
def ca(authority):
    return base64.b64encode(authority.files.certificate.read_bytes()).decode()


@pytest.fixture
def look(impostor, ca):
    """Look at it as at a Cluster with a kubeconfig, which needs nothing of the home cluster."""
    cluster = {"server": impostor.url, "certificate-authority-data": ca}
    document = {
        "current-context": "x",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": "t0ken-of-jane"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    }
    access = Access.model_validate({"kubeconfig": {"secretRef": {"name": "west"}}})
    secret = {"kubeconfig": yaml.safe_dump(document).encode()}
    target = ClusterTarget("uid", 1, "fleet", access, secret_name="west", secret_version="1", secret=secret)
    nobody = KubeClient(Transport(explicit_access(Endpoint(server="")), user_agent="kraut-tests/1", timeout_seconds=1))
    prober = HttpsClusterProber(Accesses(nobody))
    return lambda: prober.probe(target)


async def test_what_an_api_server_answers_is_a_sighting(look):
    assert await look() == ClusterSighting("v1.37.2", "jane", "https://oidc.west.example.com")


GARBAGE = [
    *((REVIEW, body) for body in (*NOT_JSON, *NO_REVIEW)),
    *(("/version", body) for body in (*NOT_JSON, b"{}", b'{"gitVersion":null}', b'{"gitVersion":""}')),
    *((DISCOVERY, body) for body in (*NOT_JSON, b"{}", b'{"issuer":null}', b'{"issuer":["a"]}')),
]


@pytest.mark.parametrize(("path", "body"), GARBAGE, ids=lambda value: repr(value[:40]))
async def test_garbage_is_no_api_server_and_may_heal(impostor, look, path, body):
    """A gateway's page, or another program at this address: neither Ready nor a defect of kraut."""
    impostor.answers[path] = body
    with pytest.raises(ApiServerError, match="does not answer as a Kubernetes API server") as caught:
        await look()
    assert caught.value.reason == "ApiServerError"
    assert path in caught.value.message


async def test_one_body_at_every_path_is_no_api_server(impostor, look):
    impostor.answers = dict.fromkeys(GOOD, b"{}")
    with pytest.raises(ApiServerError):
        await look()


@pytest.mark.parametrize("status", [400, 405, 406, 413, 418, 422])
@pytest.mark.parametrize("path", [REVIEW, "/version", "/readyz", DISCOVERY])
async def test_a_request_that_is_refused_is_not_one_that_is_forbidden(impostor, look, path, status):
    """No binding at the target helps against a proxy that does not take POST."""
    impostor.answers[path] = status
    with pytest.raises(ApiServerError, match=f"does not answer as a Kubernetes API server.*HTTP {status}") as caught:
        await look()
    assert "bind" not in caught.value.message


@pytest.mark.parametrize(("status", "reason"), [(401, "Unauthorized"), (403, "Forbidden")])
async def test_an_identity_that_is_refused_is_for_somebody_to_mend(impostor, look, status, reason):
    impostor.answers[REVIEW] = status
    with pytest.raises(PermanentError) as caught:
        await look()
    assert caught.value.reason == reason


async def test_an_issuer_that_may_not_be_read_is_hidden_and_one_that_is_asked_without_identity_is_not(impostor, look):
    impostor.answers[DISCOVERY] = 403
    assert "bind the ClusterRole" in (await look()).issuer_hidden
    impostor.answers[DISCOVERY] = 404
    assert (await look()).issuer_hidden == "the API server publishes none"
    impostor.answers[DISCOVERY] = 401
    with pytest.raises(PermanentError) as caught:
        await look()
    assert caught.value.reason == "Unauthorized"


async def test_an_api_server_that_says_it_is_not_ready_is_not(impostor, look):
    impostor.answers["/readyz"] = 500
    assert (await look()).unready == "/readyz answers 500"


TOKENS = "/api/v1/namespaces/fleet/serviceaccounts/kraut/token"


class Issuing:
    """A home cluster whose key is changed: each token that it gives is another one; and a provider that knows but the last."""

    def __init__(self, impostor, error):
        self.given, self.shown, self.good = 0, [], set()
        self._error = error
        impostor.answers |= {TOKENS: self.give, "/token": self.exchange}

    def give(self, body):
        spec = json.loads(body)["spec"]
        self.given += bool(spec["audiences"])
        status = {"token": f"subject-{self.given}", "expirationTimestamp": "2099-01-01T00:00:00Z"}
        return web.json_response({"spec": {"audiences": spec["audiences"] or ["home"]}, "status": status}, status=201)

    def exchange(self, body):
        form = parse_qs(body.decode())
        [subject] = form.get("subject_token") or form["client_assertion"]
        self.shown.append(subject)
        if subject not in self.good:
            return web.json_response({"error": self._error}, status=400)
        return web.json_response({"access_token": "exchanged", "token_type": "bearer", "expires_in": 600})


REFUSALS = [
    ("invalid_grant", "ExchangeSubjectRefused", {}),
    ("access_denied", "ExchangeDenied", {}),
    # What RFC 8693 section 2.2.2 wants of a provider that does not take the subject token.
    ("invalid_request", "ExchangeRequestInvalid", {}),
    # Keycloak, where the subject is the client's assertion.
    (
        "invalid_client",
        "ExchangeClientRefused",
        {"grantType": "ClientCredentials", "clientAuthentication": {"method": "ServiceAccount"}},
    ),
]


@pytest.mark.parametrize(("error", "reason", "way"), REFUSALS, ids=[row[1] for row in REFUSALS])
async def test_a_subject_that_a_provider_refuses_is_not_shown_again(impostor, authority, ca, error, reason, way):
    """The emergency drill: the key that signed it was removed at once, and nobody waits for its end."""
    issuing = Issuing(impostor, error)
    provider = {"tokenEndpoint": f"{impostor.url}/token", "caBundle": ca, "subjectAudience": "https://sts.example.com"}
    provider |= {"grantType": way["grantType"]} if way else {}
    exchange = {"server": impostor.url, "caBundle": ca, "audience": "west", "serviceAccountName": "kraut"}
    exchange |= {"provider": provider, "clientAuthentication": way.get("clientAuthentication", {})}
    target = ClusterTarget("uid", 1, "fleet", Access.model_validate({"exchange": exchange}))
    home = Endpoint(server=impostor.url, ca=authority.files.certificate.read_text(), token="worker")
    async with KubeClient.connect(access=explicit_access(home)) as kube:
        prober = HttpsClusterProber(Accesses(kube, networks=parse_networks(["127.0.0.0/8"])))
        with pytest.raises(PermanentError) as caught:
            await prober.probe(target)
        assert caught.value.reason == reason
        issuing.good.add("subject-2")
        assert (await prober.probe(target)).username == "jane"
        assert issuing.shown == ["subject-1", "subject-2"]
        await prober.probe(target)
        assert len(issuing.shown) == 2, "a token that is taken is kept"
