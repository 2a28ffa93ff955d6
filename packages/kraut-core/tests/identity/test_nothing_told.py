"""Statement 8: whatever goes wrong, no piece of a token or of a credential stands in an error, a traceback or a log line."""

import base64
import io
import json
import logging
import traceback
from ipaddress import ip_network
from urllib.parse import quote

import pytest
import structlog
import yaml
from aiohttp import web

from kraut_core.errors import KrautError
from kraut_core.identity.adapters.exchange import ExchangeTokenSource
from kraut_core.identity.adapters.http import SafeHttp
from kraut_core.identity.adapters.tokenrequest import TokenRequestSource
from kraut_core.identity.clientauth import ClientAuthentication
from kraut_core.identity.exchange import Exchange, dex_exchange
from kraut_core.identity.issuers import TrustedIssuer
from kraut_core.identity.keys import KeyCache
from kraut_core.identity.sources import FileTokenSource, Token
from kraut_core.identity.verification import Verifier
from kraut_core.kube.client import KubeClient
from kraut_core.logs import configure_logs
from kraut_core.settings import LogSettings

pytestmark = pytest.mark.integration

PIECE = 12
"""So many bytes of a secret in a row are a piece of it."""
CLIENT_SECRET = "pLanted-0f-the-cLient%/+ÄÖ"
AUDIENCE = "https://sts.example.com"


def forms(secret):
    raw = secret.encode()
    yield from (secret, quote(secret, safe=""), base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode())
    yield from (json.dumps(secret)[1:-1], repr(secret)[1:-1], raw.hex())


def pieces(text):
    return {text[at : at + PIECE] for at in range(max(1, len(text) - PIECE + 1))}


def told_of(secret, text):
    """The pieces of a secret, in any of its forms, that stand in a text."""
    return set().union(*(pieces(form) for form in forms(secret))) & pieces(text)


def chain(error):
    """As every formatter of tracebacks walks it."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@pytest.fixture
def told():
    """``told(error)``: all that is said of it, and was logged until then by anybody at debug."""
    root = logging.getLogger()
    before, propagating = (root.handlers[:], root.level), {}
    streams = []
    for name in ("aiohttp", "asyncio", "kubernetes_asyncio"):
        propagating[name] = logging.getLogger(name).level
    for style in ("json", "console"):
        streams.append(io.StringIO())
        configure_logs(LogSettings(format=style, level="debug"), component="test", stream=streams[-1])
    bare = io.StringIO()
    # The standard library's formatter redacts nothing.
    root.handlers[:] = [*root.handlers, logging.StreamHandler(bare)]
    for name in propagating:
        logging.getLogger(name).setLevel(logging.DEBUG)

    def tell(error):
        structlog.get_logger().warning("token not got", error=str(error), reason=error.reason, exc_info=error)
        logging.getLogger("kraut").error("token not got: %s", error, exc_info=error)
        said = [repr(link) + repr(link.args) + repr(vars(link)) for link in chain(error)]
        text = "".join(traceback.format_exception(error))
        return "\n".join([str(error), text, *said, bare.getvalue(), *(stream.getvalue() for stream in streams)])

    yield tell
    root.handlers[:], root.level = before[0], before[1]
    for name, level in propagating.items():
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


async def fails(told, source, *secrets, audience="west"):
    """The source fails, and tells none of the secrets."""
    with pytest.raises(KrautError) as caught:
        await source.token(audience)
    text = told(caught.value)
    assert "token not got" in text
    for secret in secrets:
        assert told_of(secret, text) == set()
    return caught.value


def test_a_piece_would_be_found(signer, told):
    token = signer.token()
    for form in forms(token):
        text = told(KrautError(f"it is {form[40:60]}"))
        assert told_of(token, text)


@pytest.mark.parametrize(
    "content", ["{token}", "{token}é", "{token}\n{token}", "Bearer {token}", "{token}\x00", "{head}"]
)
async def test_a_file(signer, told, tmp_path, content):
    token = signer.token(aud="https://other.example.com", marker="x" * 60)
    file = tmp_path / "token"
    file.write_text(content.format(token=token, head=token.rpartition(".")[0]))
    await fails(told, FileTokenSource(file), token)


class Fixed:
    def __init__(self, value):
        self.value = value

    async def token(self, _audience):
        return Token(self.value, 4_000_000_000)


def echo(status, content_type="application/json", **members):
    """An answer that repeats whatever came."""

    def answer(request, body):
        said = f"{request.headers.get('Authorization')} {body.decode('latin-1')}"
        text = json.dumps({"error": "invalid_grant", "error_description": said, **members}) if members else said
        return web.Response(status=status, body=text.encode(), headers={"Content-Type": content_type})

    return answer


def drop(request, _body):
    request.transport.abort()
    return web.Response()


def answers(token):
    """What a provider may answer, by name; the good token is in none of the errors either."""
    wrong = {"access_token": token, "token_type": "bearer", "issued_token_type": "urn:x", "expires_in": 600}
    return {
        "refused": echo(400, a="b"),
        "refused as HTML": echo(401, "text/html"),
        "not now": echo(503),
        "not an answer": echo(200),
        "cut": lambda _request, _body: web.Response(body=json.dumps(wrong).encode()[:-20]),
        "of another type": lambda _request, _body: web.json_response(wrong),
        "for somebody else": lambda _request, _body: web.json_response(wrong | {"issued_token_type": None}),
        "twice": lambda _request, _body: web.Response(body=b'{"access_token":"%b","access_token":"%b"}' % ((token.encode(),) * 2)),
        "not for a header": lambda _request, _body: web.json_response(wrong | {"access_token": f"{token}\r\nX: y"}),
        "dropped": drop,
        "elsewhere": lambda _request, _body: web.Response(status=307, headers={"Location": f"https://a.example.com/?{token}"}),
    }  # fmt: skip


NAMES = list(answers(""))


def clients(folder, assertion, pem):
    secret, key = folder / "secret", folder / "key.pem"
    secret.write_text(CLIENT_SECRET)
    key.write_text(pem)
    return [
        ClientAuthentication(),
        ClientAuthentication(method="client_secret_basic", client_id="west", secret_file=secret),
        ClientAuthentication(method="client_secret_post", client_id="west", secret_file=secret),
        ClientAuthentication(method="private_key_jwt", client_id="west", key_file=key),
        ClientAuthentication(method="service_account", source=Fixed(assertion), audience="idp"),
    ]


@pytest.mark.parametrize("name", NAMES)
async def test_an_exchange(site, ca_file, signer, told, tmp_path, name):
    subject, assertion = signer.token(aud=AUDIENCE, marker="s" * 60), signer.token(aud="idp", marker="a" * 60)
    issued = signer.token(aud="north", marker="i" * 60)
    pem = signer.rsa.as_pem(private=True).decode()
    async with site() as server, SafeHttp(networks=(ip_network("127.0.0.0/8"),), ca_file=ca_file) as http:
        server.answers["/token"] = answers(issued)[name]
        endpoint = f"{server.url}/token"
        kinds = [
            dex_exchange(endpoint, connector_id="east", subject_audience=AUDIENCE),
            Exchange(token_endpoint=endpoint, subject_audience=AUDIENCE, grant="jwt-bearer"),
        ]
        for client in clients(tmp_path, assertion, pem):
            for exchange in kinds:
                source = ExchangeTokenSource(exchange, Fixed(subject), client, http)
                await fails(told, source, subject, assertion, issued, CLIENT_SECRET, pem)
        assert server.calls


@pytest.mark.parametrize("content", [b"\xff" + CLIENT_SECRET.encode(), CLIENT_SECRET.encode()])
@pytest.mark.parametrize("method", ["client_secret_basic", "private_key_jwt"])
async def test_a_clients_credential_that_cannot_be_used(site, ca_file, signer, told, tmp_path, content, method):
    file, subject = tmp_path / "credential", signer.token(aud=AUDIENCE)
    file.write_bytes(content)
    client = ClientAuthentication(method=method, client_id="west", secret_file=file, key_file=file)
    async with site() as server, SafeHttp(networks=(ip_network("127.0.0.0/8"),), ca_file=ca_file) as http:
        server.answers["/token"] = echo(400, a="b")
        exchange = Exchange(token_endpoint=f"{server.url}/token", subject_audience=AUDIENCE)
        await fails(told, ExchangeTokenSource(exchange, Fixed(subject), client, http), subject, CLIENT_SECRET)


def requested(issued):
    """What an API server, or what stands before it, may answer to a TokenRequest."""
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
    return {
        "forbidden": lambda request, body: web.json_response(
            {**status, "message": f"{request.headers['Authorization']} may not", "code": 403}, status=403
        ),
        "forbidden as HTML": echo(403, "text/html"),
        "not now": echo(503),
        "without a time": lambda _request, _body: web.json_response({"status": {"token": issued}}, status=201),
        "with an odd time": lambda _request, _body: web.json_response(
            {"status": {"token": issued, "expirationTimestamp": issued}}, status=201
        ),
        "not for a header": lambda _request, _body: web.json_response(
            {"status": {"token": f"{issued} {issued}", "expirationTimestamp": "2036-01-01T00:00:00Z"}}, status=201
        ),
        "cut": lambda _request, _body: web.Response(body=json.dumps({"status": {"token": issued}}).encode()[:-3]),
        "dropped": drop,
    }


@pytest.mark.parametrize("name", list(requested("")))
async def test_a_token_request(site, ca_file, signer, told, tmp_path, name):
    own, issued = signer.token(aud="kube", marker="o" * 60), signer.token(aud="west", marker="i" * 60)
    kubeconfig = tmp_path / "kubeconfig"
    async with site() as server:
        server.answers["/api/v1/namespaces/a/serviceaccounts/b/token"] = requested(issued)[name]
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "a", "cluster": {"server": server.url, "certificate-authority": str(ca_file)}}],
            "users": [{"name": "a", "user": {"token": own}}],
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
            "current-context": "a",
        }
        kubeconfig.write_text(yaml.safe_dump(document))
        async with KubeClient.connect(str(kubeconfig)) as kube:
            for to_send in (True, False):
                await fails(told, TokenRequestSource(kube, "a", "b", to_send=to_send), own, issued)
        assert server.calls


@pytest.mark.parametrize(
    "forge",
    [
        lambda signer: signer.token(header={"alg": "ES256"}, key=signer.ec),
        lambda signer: signer.token(header={"kid": "unknown"}),
        lambda signer: signer.token(iss="https://evil.example.com"),
        lambda signer: signer.token(aud="https://other.example.com"),
        lambda signer: signer.token(exp=1),
        lambda signer: signer.token()[:-20] + "A" * 20,
        lambda signer: signer.token() + "." + signer.token(),
        lambda signer: signer.token().replace(".", "."*2),
        lambda signer: signer.token(sub="a" * 2000),
        lambda signer: signer.token() * 40,
    ],
)  # fmt: skip
async def test_a_token_that_is_refused(signer, told, forge):
    token = forge(signer)

    async def fetch(_issuer):
        return signer.jwks()

    class Refusing:
        async def token(self, audience):
            issuer = TrustedIssuer(url=signer.url, audiences=frozenset({"https://api.west.example.com"}))
            return await Verifier([issuer], KeyCache(fetch)).verify(token)

    # A token of the test is years ahead, so that each is refused for its time at the latest.
    await fails(told, Refusing(), token)
