"""Keys rotated on two real kube-apiservers of one cluster: the union is published, and no request fails in between."""

import asyncio
import contextlib
import ssl
from dataclasses import replace

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from kraut_lab.assets import Binaries, kubernetes_program
from kraut_lab.controlplane.client import AdminClient
from kraut_lab.controlplane.credentials import prepare_credentials
from kraut_lab.controlplane.flags import apiserver_flags
from kraut_lab.daemon import Daemon
from kraut_lab.pki import create_signing_key
from kraut_lab.ports import choose_ports
from kraut_oidc_proxy.issuers import JWKS_PATH
from kraut_oidc_proxy.testing import Connection, ProxyProcess

pytestmark = pytest.mark.integration

TOKEN_PATH = "/api/v1/namespaces/kraut-system/serviceaccounts/kraut-worker/token"


class SecondServer:
    """Another kube-apiserver on the control plane's etcd, as in a cluster with several control-plane nodes."""

    def __init__(self, control_plane):
        self._plane = control_plane
        self._credentials = prepare_credentials(control_plane.folder / "pki")
        [self._port] = choose_ports(1)
        self._daemon = Daemon(control_plane.folder, "kube-apiserver-second")
        self.url = f"https://127.0.0.1:{self._port}"
        self.admin = AdminClient(self._port, ca=control_plane.ca, pair=self._credentials.admin)

    def start(self, *, accepts, signs):
        keys = self._plane.folder / "pki" / "accepted.pub"
        keys.write_text("".join(file.read_text() for file in accepts))
        extra = {
            "service-account-issuer": self._plane.url,
            "service-account-jwks-uri": f"{self._plane.url}{JWKS_PATH}",
            "service-account-key-file": str(keys),
            "service-account-signing-key-file": str(signs),
        }
        ports = replace(self._plane.ports, apiserver=self._port)
        program = Binaries().path(kubernetes_program("kube-apiserver"))
        self._daemon.start([str(program), *apiserver_flags(ports, self._credentials, extra)])
        self._daemon.wait_ready(self.admin.is_ready, "answers /readyz")

    def kill(self):
        self._daemon.kill()


@pytest.fixture
def second(control_plane):
    server = SecondServer(control_plane)
    yield server
    server.kill()


def token(admin):
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["test"]}}
    return admin.create(TOKEN_PATH, body)["status"]["token"]


@contextlib.asynccontextmanager
async def under_load(proxy):
    """Asks all the while; every answer must be 200."""

    async def ask():
        async with Connection.open(proxy.port) as connection:
            while True:
                assert (await connection.get(JWKS_PATH)).status == 200
                await asyncio.sleep(0.02)

    task = asyncio.create_task(ask())
    yield
    assert not task.done() or task.result()
    task.cancel()


def count(number):
    return lambda reply: reply.status == 200 and len(reply.json()["keys"]) == number


async def test_keys_are_rotated_and_every_token_can_be_verified_all_the_time(control_plane, settings, second, tmp_path):
    pki = control_plane.folder / "pki"
    old_key, old_pub = pki / "service-account.key", pki / "service-account.pub"
    new_key, new_pub = create_signing_key(pki, "rotated")
    own = {"KRAUT_OIDC_API_SERVERS": f"{control_plane.url},{second.url}", "KRAUT_OIDC_RETAIN_SECONDS": "3"}
    async with ProxyProcess.running(settings | own, tmp_path / "log") as proxy:
        before = await proxy.until_get(JWKS_PATH, count(1))
        async with under_load(proxy):
            await asyncio.to_thread(second.start, accepts=[new_pub, old_pub], signs=new_key)
            both = await proxy.until_get(JWKS_PATH, count(2))
            keys = KeySet.import_key_set(both.json())
            for admin in (control_plane.admin, second.admin):
                found = jwt.decode(token(admin), keys, algorithms=["RS256"])
                assert found.claims["iss"] == control_plane.url
            second.kill()
            failures = len(proxy.logged("api server not read"))
            await proxy.until(
                lambda: len(proxy.logged("api server not read")) > failures + 3, "noticed that it is gone"
            )
            assert (await proxy.get(JWKS_PATH)).headers["etag"] == both.headers["etag"], "what is away keeps its keys"
            await asyncio.to_thread(second.start, accepts=[old_pub], signs=old_key)
            after = await proxy.until_get(JWKS_PATH, count(1))
        assert after.headers["etag"] == before.headers["etag"]
        assert [change["total"] for change in proxy.logged("keys changed")] == [1, 2, 1]


async def test_a_stray_api_server_of_another_issuer_adds_nothing(control_plane, settings, rude, tmp_path):
    """One of the named servers turns out to be another cluster's: its keys are not published, the others' are."""
    pair = prepare_credentials(control_plane.folder / "pki").apiserver
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pair.certificate, pair.key)
    async with rude("https://oidc.example.com/stray", b'{"keys":[]}', tls) as stray:
        own = {"KRAUT_OIDC_API_SERVERS": f"{control_plane.url},{stray.url}"}
        async with ProxyProcess.running(settings | own, tmp_path / "log") as proxy:
            await proxy.until_get(JWKS_PATH, count(1))
            await proxy.until(lambda: bool(proxy.logged("api server not read")), "noticed the stray one")
            assert proxy.logged("api server not read")[-1]["reason"] == "IssuerMismatch"
            assert (await proxy.probe("/readyz")).status == 200
            assert await proxy.metric("kraut_oidc_issuer_match") == 0
            assert stray.calls == 0
