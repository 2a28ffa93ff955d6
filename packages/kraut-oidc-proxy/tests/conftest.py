"""Fixtures on a real control plane, and one that plays what no healthy API server does."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from aiohttp import web

from kraut_core.kube.config import find_access
from kraut_core.kube.transport import Transport
from kraut_oidc_proxy.issuers import DISCOVERY_PATH, JWKS_PATH
from kraut_oidc_proxy.testing import ProxyProcess

if TYPE_CHECKING:
    from kraut_lab.controlplane import ControlPlane


def token_kubeconfig(target: Path, *, server: str, ca: Path | None, token: str) -> Path:
    cluster: dict[str, Any] = {"server": server} | ({"certificate-authority": str(ca)} if ca else {})
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "a", "cluster": cluster}],
        "users": [{"name": "a", "user": {"token": token}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "current-context": "a",
    }
    target.write_text(yaml.safe_dump(document))
    return target


@pytest.fixture(scope="session")
def proxy_kubeconfig(control_plane: "ControlPlane", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The identity that the proxy is shipped with."""
    folder = tmp_path_factory.mktemp("oidc-proxy")
    token = control_plane.token("oidc-proxy")
    return token_kubeconfig(folder / "kubeconfig", server=control_plane.url, ca=control_plane.ca, token=token)


@pytest.fixture(scope="session")
def settings(control_plane: "ControlPlane", proxy_kubeconfig: Path) -> dict[str, str]:
    return {"KRAUT_OIDC_ISSUER": control_plane.url, "KRAUT_KUBE_KUBECONFIG": str(proxy_kubeconfig)}


@pytest.fixture(scope="session")
async def proxy(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ProxyProcess]:
    """A proxy that publishes the control plane's keys; for tests that only ask."""
    async with ProxyProcess.running(settings, tmp_path_factory.mktemp("proxy") / "log") as process:
        await process.until_get(JWKS_PATH, lambda reply: reply.status == 200)
        yield process


@pytest.fixture
async def shown(control_plane: "ControlPlane") -> Callable[[str], Awaitable[Any]]:
    """What the API server itself answers at a path, to its administrator."""

    async def read(path: str) -> Any:
        access = find_access(str(control_plane.kubeconfig()))
        transport = Transport(access, user_agent="kraut-tests/1", timeout_seconds=60, one_shot=True)
        await transport.open()
        try:
            return json.loads(await transport.read(path, max_bytes=1 << 20))
        finally:
            await transport.close()

    return read


@pytest.fixture
def admin_api(control_plane: "ControlPlane") -> Any:
    """The administrator's client."""
    return control_plane.admin


@pytest.fixture
def plain_token_kubeconfig(control_plane: "ControlPlane", tmp_path: Path) -> Path:
    """A service account that nothing is bound to: it has what every service account has."""
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    control_plane.admin.create(accounts, {"metadata": {"name": "nobody"}})
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = control_plane.admin.create(f"{accounts}/nobody/token", body)["status"]["token"]
    return token_kubeconfig(tmp_path / "plain.kubeconfig", server=control_plane.url, ca=control_plane.ca, token=token)


@dataclass
class RudeServer:
    """Answers as told; ``calls`` counts requests, ``hold`` keeps them waiting."""

    issuer: str
    url: str = ""
    calls: int = 0
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    hold: asyncio.Event | None = None
    discovery: bytes | None = None

    async def discover(self, _: web.Request) -> web.Response:
        body = self.discovery or json.dumps({"issuer": self.issuer, "jwks_uri": "https://evil.example.com/"}).encode()
        return web.Response(body=body)

    async def keys(self, _: web.Request) -> web.Response:
        self.calls += 1
        if self.hold is not None:
            await self.hold.wait()
        return web.Response(status=self.status, body=self.body, headers=self.headers)


@asynccontextmanager
async def rude_server(issuer: str, body: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[RudeServer]:
    """An HTTP server on loopback in the API server's place."""
    server = RudeServer(issuer, body=body)
    app = web.Application()
    app.add_routes([web.get(DISCOVERY_PATH, server.discover), web.get(JWKS_PATH, server.keys)])
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        if server.hold is not None:
            server.hold.set()
        await runner.cleanup()


@pytest.fixture
def rude() -> Callable[..., AbstractAsyncContextManager[RudeServer]]:
    """``async with rude(issuer, body) as server``."""
    return rude_server


@pytest.fixture
def kubeconfig_for(tmp_path: Path) -> Callable[[RudeServer], str]:
    """A kubeconfig that takes a rude server for the API server."""
    return lambda server: str(
        token_kubeconfig(
            tmp_path / f"{len(list(tmp_path.iterdir()))}.kubeconfig", server=server.url, ca=None, token="t"
        )
    )
