"""An issuer for attacks: real keys, real signatures, on a real TLS server where the network matters."""

import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from kraut_lab.pki import CertificateAuthority

NOW = 1_800_000_000


def encode(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass
class Signer:
    """Signs whatever it is told to."""

    url: str = "https://oidc.east.example.com"
    rsa: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "rsa", "alg": "RS256", "use": "sig"}))
    ec: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "ec", "alg": "ES256", "use": "sig"}))

    def jwks(self, *keys: Any) -> bytes:
        return json.dumps({"keys": [key.as_dict(private=False) for key in keys or (self.rsa, self.ec)]}).encode()

    def claims(self, **changes: Any) -> dict[str, Any]:
        claims = {
            "iss": self.url,
            "aud": "https://api.west.example.com",
            "sub": "system:serviceaccount:kraut-system:kraut-worker",
            "iat": NOW - 10,
            "nbf": NOW - 10,
            "exp": NOW + 600,
        } | changes
        return {name: value for name, value in claims.items() if value is not ...}

    def token(self, header: dict[str, Any] | None = None, key: Any = None, **changes: Any) -> str:
        header = {"alg": "RS256", "kid": "rsa", **(header or {})}
        algorithms = [header["alg"]]
        registry = jwt.JWSRegistry(algorithms=algorithms, strict_check_header=False)
        return jwt.encode(header, self.claims(**changes), key or self.rsa, algorithms, registry, default_type=None)

    def raw(self, header: Any, claims: Any, signature: bytes = b"signature") -> str:
        return f"{encode(header)}.{encode(claims)}.{encode(signature)}"


@pytest.fixture(scope="session")
def signer() -> Signer:
    return Signer()


@dataclass
class Site:
    """What a server on loopback answers; ``calls`` are the paths that were asked."""

    url: str = ""
    answers: dict[str, web.Response | Callable[[web.Request, bytes], web.Response]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.calls.append(request.path)
        self.headers.append(dict(request.headers))
        body = await request.read()
        if request.content_type == "application/x-www-form-urlencoded":
            self.forms.append({name: str(value) for name, value in (await request.post()).items()})
        answer = self.answers.get(request.path, web.Response(status=404))
        return answer(request, body) if callable(answer) else _copy(answer)


def _copy(answer: web.Response) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("pki"), "ca")


@pytest.fixture(scope="session")
def ca_file(authority: CertificateAuthority) -> Path:
    return authority.files.certificate


@pytest.fixture
def site(authority: CertificateAuthority) -> Callable[..., AbstractAsyncContextManager[Site]]:
    """``async with site() as server``: HTTPS on loopback under the name localhost, or at another ``address``."""

    @asynccontextmanager
    async def serve(address: str = "127.0.0.1") -> AsyncIterator[Site]:
        pair = authority.issue("site", "site", hosts=("localhost", "127.0.0.1", "inside.example.com", "::1"))
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(pair.certificate, pair.key)
        found = Site()
        app = web.Application(client_max_size=1 << 20)
        app.router.add_route("*", "/{path:.*}", found.handle)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, address, 0, ssl_context=tls).start()
        found.url = f"https://localhost:{runner.addresses[0][1]}"
        try:
            yield found
        finally:
            await runner.cleanup()

    return serve
