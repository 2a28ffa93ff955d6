"""Exchanges over real TLS: what is sent in each form, what each answer means, and that tokens stay out of errors and logs."""

import asyncio
import json
import logging
from base64 import b64decode
from ipaddress import ip_network
from urllib.parse import unquote

import pytest
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from kraut_core.errors import InvalidSpecError
from kraut_core.identity.adapters.exchange import ExchangeTokenSource
from kraut_core.identity.adapters.http import SafeHttp
from kraut_core.identity.clientauth import ASSERTION_TYPE, ClientAuthentication
from kraut_core.identity.errors import CredentialError, ExchangeRefusedError, ExchangeUnavailableError
from kraut_core.identity.exchange import (
    CLIENT_CREDENTIALS,
    ID_TOKEN,
    JWT_BEARER,
    TOKEN_EXCHANGE,
    Exchange,
    dex_exchange,
)
from kraut_core.identity.sources import Token

pytestmark = pytest.mark.integration

NOW = 1_800_000_000


class Subject:
    """A source whose token can be rotated."""

    def __init__(self, value):
        self.value, self.asked = value, []

    async def token(self, audience):
        self.asked.append(audience)
        return Token(self.value, NOW + 600)


class World:
    def __init__(self, server, http, signer):
        self.server, self.http, self.signer = server, http, signer
        self.now = float(NOW)
        self.subject = Subject(signer.token(aud="https://sts.example.com"))
        self.good(signer.token(aud="west"))

    @property
    def endpoint(self):
        return f"{self.server.url}/token"

    def good(self, value, **changes):
        document = {"access_token": value, "token_type": "bearer", "expires_in": 600, "issued_token_type": ID_TOKEN}
        self.answer(200, {**document, **changes})

    def answer(self, status, document, **headers):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.server.answers["/token"] = web.Response(status=status, body=body, headers=headers)

    def source(self, client=None, **changes):
        exchange = Exchange(
            **{"token_endpoint": self.endpoint, "subject_audience": "https://sts.example.com", **changes}
        )
        return self.source_of(exchange, client)

    def source_of(self, exchange, client=None):
        client = client or ClientAuthentication()
        return ExchangeTokenSource(exchange, self.subject, client, self.http, clock=lambda: self.now)


@pytest.fixture
async def world(site, ca_file, signer):
    async with site() as server, SafeHttp(networks=(ip_network("127.0.0.0/8"),), ca_file=ca_file) as http:
        yield World(server, http, signer)


async def test_rfc_8693(world):
    found = await world.source(scope=("a", "b"), resource="https://r.example.com", extra={"x": "y"}).token("west")
    assert (found.value, found.expires_at) == (world.signer.token(aud="west"), NOW + 600)
    assert world.server.forms == [
        {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": world.subject.value,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "audience": "west",
            "resource": "https://r.example.com",
            "scope": "a b",
            "x": "y",
        }
    ]
    assert world.subject.asked == ["https://sts.example.com"]


async def test_dex(world):
    exchange = dex_exchange(world.endpoint, connector_id="east", subject_audience="dex")
    await world.source_of(exchange).token("west")
    [form] = world.server.forms
    assert form == {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": world.subject.value,
        "subject_token_type": ID_TOKEN,
        "requested_token_type": ID_TOKEN,
        "scope": "openid",
        "connector_id": "east",
    }


async def test_rfc_7523(world):
    await world.source(grant="jwt-bearer", send_audience=False).token("west")
    assert world.server.forms == [{"grant_type": JWT_BEARER, "assertion": world.subject.value}]


async def test_client_credentials_of_a_service_account(world):
    """Its own token is all that is sent, and another token of it is another request."""
    client = ClientAuthentication(method="service_account", source=world.subject, audience="https://sts.example.com")
    source = world.source(client, grant="client-credentials", send_audience=False, scope=("west",))
    await source.token("west")
    assert world.server.forms == [
        {
            "grant_type": CLIENT_CREDENTIALS,
            "scope": "west",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": world.subject.value,
        }
    ]
    await source.token("west")
    assert len(world.server.forms) == 1, "cached"
    world.subject.value = world.signer.token(aud="https://sts.example.com", jti="another")
    await source.token("west")
    assert world.server.forms[1]["client_assertion"] == world.subject.value


async def test_client_credentials_of_another_client_need_no_subject(world, tmp_path):
    (tmp_path / "secret").write_text("simple")
    client = ClientAuthentication(method="client_secret_post", client_id="c", secret_file=tmp_path / "secret")
    await world.source(client, grant="client-credentials").token("west")
    assert world.subject.asked == []
    [form] = world.server.forms
    assert (form["grant_type"], form["audience"]) == (CLIENT_CREDENTIALS, "west")


@pytest.mark.parametrize("secret", ["simple", "ä:%&+ /="])
async def test_client_secret_basic_and_post(world, tmp_path, secret):
    file = tmp_path / "secret"
    file.write_text(f"{secret}\n")
    options = {"client_id": "west:1", "secret_file": file}
    await world.source(ClientAuthentication(method="client_secret_basic", **options)).token("west")
    await world.source(ClientAuthentication(method="client_secret_post", **options)).token("west")
    name, _, value = b64decode(world.server.headers[0]["Authorization"].removeprefix("Basic ")).decode().partition(":")
    assert (unquote(name), unquote(value)) == ("west:1", secret)
    assert "client_secret" not in world.server.forms[0]
    assert (world.server.forms[1]["client_id"], world.server.forms[1]["client_secret"]) == ("west:1", secret)
    assert "Authorization" not in world.server.headers[1]
    file.write_text("rotated")
    await world.source(ClientAuthentication(method="client_secret_post", **options)).token("west")
    assert world.server.forms[2]["client_secret"] == "rotated"


async def test_a_public_client_names_itself(world):
    await world.source(ClientAuthentication(client_id="public")).token("west")
    assert world.server.forms[0]["client_id"] == "public"


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [("RS256", RSAKey.generate_key(2048)), ("ES256", ECKey.generate_key("P-256"))],
    ids=["RSA", "EC"],
)
async def test_private_key_jwt(world, tmp_path, algorithm, key):
    file = tmp_path / "key.pem"
    file.write_bytes(key.as_pem(private=True))
    client = ClientAuthentication(
        method="private_key_jwt", client_id="west", key_file=file, algorithm=algorithm, key_id="k1"
    )
    for _ in range(2):
        await world.source(client).token("west")
    forms = world.server.forms
    found = [jwt.decode(form["client_assertion"], key, algorithms=[algorithm]) for form in forms]
    assert forms[0]["client_assertion_type"] == ASSERTION_TYPE
    assert found[0].header["kid"] == "k1"
    claims = found[0].claims
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("west", "west", world.endpoint)
    assert 0 < claims["exp"] - claims["iat"] <= 61
    assert found[1].claims["jti"] != claims["jti"]


async def test_a_service_account_token_is_the_clients_credential(world):
    assertion = Subject(world.signer.token(aud="https://idp.example.com"))
    client = ClientAuthentication(method="service_account", source=assertion, audience="https://idp.example.com")
    await world.source(client).token("west")
    assert world.server.forms[0]["client_assertion"] == assertion.value
    assert world.server.forms[0]["client_assertion_type"] == ASSERTION_TYPE
    assert assertion.asked == ["https://idp.example.com"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "client_secret_basic", "client_id": "a"}, "secret_file"),
        ({"method": "private_key_jwt", "client_id": "a"}, "key_file"),
        ({"method": "service_account"}, "source"),
    ],
)
def test_a_client_without_its_credential_is_refused(options, words):
    with pytest.raises(InvalidSpecError, match=words):
        ClientAuthentication(**options)


@pytest.mark.parametrize("content", [None, "no key"])
async def test_a_key_that_cannot_be_used_is_said_before_anything_is_sent(world, tmp_path, content):
    file = tmp_path / "key.pem"
    if content:
        file.write_text(content)
    client = ClientAuthentication(method="private_key_jwt", client_id="west", key_file=file)
    with pytest.raises(CredentialError, match=r"key\.pem"):
        await world.source(client).token("west")
    assert world.server.calls == []


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (400, "invalid_request", "ExchangeRequestInvalid"),
        (400, "invalid_grant", "ExchangeSubjectRefused"),
        (400, "invalid_target", "ExchangeTargetRefused"),
        (401, "invalid_client", "ExchangeClientRefused"),
        (401, "access_denied", "ExchangeDenied"),
        (403, "unauthorized_client", "ExchangeClientRefused"),
        (400, "unsupported_grant_type", "ExchangeUnsupported"),
        (400, "something_new", "ExchangeRefused"),
        (404, None, "ExchangeRefused"),
        (302, None, "ExchangeRefused"),
    ],
)
async def test_a_refusal_is_permanent_and_names_its_class(world, tmp_path, status, code, reason):
    secret = tmp_path / "secret"
    secret.write_text("planted-secret")
    said = f"token {world.subject.value} of planted-secret is bad\r\nX: y"
    world.answer(status, {"error": code, "error_description": said} if code else b"<html>planted-secret</html>")
    client = ClientAuthentication(method="client_secret_post", client_id="c", secret_file=secret)
    source = world.source(client)
    for _ in range(3):
        with pytest.raises(ExchangeRefusedError) as caught:
            await source.token("west")
        assert (caught.value.reason, caught.value.code, caught.value.permanent) == (reason, code or "", True)
        for hidden in (world.subject.value, world.subject.value.split(".")[2], "planted-secret", "\n"):
            assert hidden not in str(caught.value)
    assert len(world.server.calls) == 1, "a refusal is remembered for a while"
    world.subject.value = world.signer.token(aud="https://sts.example.com", jti="rotated")
    world.good(world.signer.token(aud="west"))
    assert await source.token("west"), "a rotated subject token is another matter"


@pytest.mark.parametrize(
    ("status", "headers", "after"), [(429, {"Retry-After": "7"}, 7), (503, {}, None), (500, {}, None), (408, {}, None)]
)
async def test_what_may_heal_is_asked_again(world, status, headers, after):
    world.answer(status, b"<html>", **headers)
    source = world.source()
    with pytest.raises(ExchangeUnavailableError) as caught:
        await source.token("west")
    assert caught.value.retry_after_seconds == after
    world.good(world.signer.token(aud="west"))
    assert await source.token("west")


async def test_no_answer_may_heal(world):
    source = world.source(token_endpoint="https://127.0.0.1:9/token")
    with pytest.raises(ExchangeUnavailableError):
        await source.token("west")


@pytest.mark.parametrize(
    "document",
    [
        b"<html>",
        {},
        {"access_token": "", "token_type": "bearer"},
        {"access_token": "a\r\nX-Evil: 1", "token_type": "bearer"},
        {"access_token": "opaque", "token_type": "mac"},
        {"access_token": "opaque"},
        b'{"access_token":"a","access_token":"b","token_type":"bearer"}',
    ],
)
async def test_an_answer_that_is_none_is_refused(world, document):
    world.answer(200, document)
    with pytest.raises(ExchangeRefusedError, match="token"):
        await world.source().token("west")


async def test_a_token_of_another_type_or_for_somebody_else_is_not_passed_on(world):
    world.good(world.signer.token(aud="west"), issued_token_type="urn:ietf:params:oauth:token-type:saml2")
    with pytest.raises(ExchangeRefusedError, match="another type"):
        await world.source(requested_token_type=ID_TOKEN).token("west")
    world.good(world.signer.token(aud="east"))
    with pytest.raises(ExchangeRefusedError, match="somebody else"):
        await world.source().token("west")


@pytest.mark.parametrize(
    ("expires_in", "exp", "expected"),
    [(600, NOW + 300, 300), (100, NOW + 300, 100), (None, NOW + 300, 300), (100, None, 100), (None, None, 0), ("100", None, 0), (True, None, 0), (-5, None, 0)],
)  # fmt: skip
async def test_a_token_lives_as_long_as_the_shorter_of_both_says(world, expires_in, exp, expected):
    world.good(world.signer.token(aud="west", exp=exp) if exp else "opaque", expires_in=expires_in)
    assert (await world.source().token("west")).expires_at == NOW + expected


async def test_one_exchange_serves_many_and_a_rotated_subject_makes_a_new_one(world):
    source = world.source()
    found = await asyncio.gather(*(source.token("west") for _ in range(50)))
    assert len({token.value for token in found}) == len(world.server.calls) == 1
    world.good(world.signer.token(aud="north"))
    await source.token("north")
    assert len(world.server.calls) == 2
    world.good(world.signer.token(aud="west"))
    world.subject.value = world.signer.token(aud="https://sts.example.com", jti="next")
    await source.token("west")
    assert len(world.server.calls) == 3
    world.now = NOW + 480.0
    await source.token("west")
    assert len(world.server.calls) == 4


async def test_nothing_is_logged(world, caplog, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("planted-secret")
    client = ClientAuthentication(method="client_secret_basic", client_id="c", secret_file=secret)
    with caplog.at_level(logging.DEBUG):
        source = world.source(client)
        await source.token("west")
        world.answer(401, {"error": "invalid_client", "error_description": world.subject.value})
        with pytest.raises(ExchangeRefusedError):
            await source.token("east")
    for hidden in ("eyJ", "planted", "Basic "):
        assert hidden not in caplog.text
        assert hidden not in repr(client) + repr(source)


@pytest.mark.parametrize(
    "changes",
    [{"token_endpoint": "http://a.example.com"}, {"token_endpoint": "https://a.example.com/?b"}, {"extra": {"subject_token": "x"}}, {"extra": {"client_secret": "x"}}],
)  # fmt: skip
def test_an_exchange_that_cannot_be_is_refused(changes):
    with pytest.raises(InvalidSpecError):
        Exchange(**{"token_endpoint": "https://a.example.com", "subject_audience": "a", **changes})
