"""The proxy's own certificate, replaced under load."""

import asyncio
import shutil
import ssl
import time

import pytest
from cryptography import x509

from kraut_lab.pki import CertificateAuthority
from kraut_oidc_proxy.issuers import JWKS_PATH
from kraut_oidc_proxy.testing import Connection, ProxyProcess, stood_still

pytestmark = pytest.mark.integration

CLIENTS = 4


@pytest.fixture
def authority(tmp_path):
    return CertificateAuthority(tmp_path / "pki", "ca")


@pytest.fixture
def mounted(authority, tmp_path):
    """``mounted("first")`` swaps the files as the kubelet does: a new folder, and a symbolic link moved to it."""

    def mount(name):
        pair = authority.issue(name, name, hosts=("localhost",))
        version = tmp_path / "secret" / f"..{name}"
        version.mkdir(parents=True)
        shutil.copy(pair.certificate, version / "tls.crt")
        shutil.copy(pair.key, version / "tls.key")
        link = tmp_path / "secret" / "..new"
        link.symlink_to(version.name)
        link.replace(tmp_path / "secret" / "..data")
        return tmp_path / "secret" / "..data"

    return mount


def name_of(connection):
    subject = x509.load_der_x509_certificate(connection.certificate).subject
    return subject.rfc4514_string().removeprefix("CN=")


async def test_a_certificate_is_replaced_under_load_and_no_request_fails(settings, mounted, authority, tmp_path):
    folder = mounted("first")
    own = {
        "KRAUT_TLS_CERT_FILE": str(folder / "tls.crt"),
        "KRAUT_TLS_KEY_FILE": str(folder / "tls.key"),
        "KRAUT_TLS_RELOAD_SECONDS": "1",
    }
    tls = ssl.create_default_context(cafile=str(authority.files.certificate))
    async with ProxyProcess.running(settings | own, tmp_path / "log") as proxy:
        await proxy.until_get(JWKS_PATH, lambda reply: reply.status == 200, tls=tls)
        names: list[str] = []
        stop = asyncio.Event()

        async def load():
            while not stop.is_set():
                began = time.monotonic()
                try:
                    async with Connection.open(proxy.port, tls) as connection:
                        assert (await connection.get(JWKS_PATH)).status == 200
                        names.append(name_of(connection))
                except OSError as error:
                    if not stood_still(error, began):
                        raise

        clients = [asyncio.create_task(load()) for _ in range(CLIENTS)]
        async with Connection.open(proxy.port, tls) as old, asyncio.timeout(150):
            # One that was never used would have 10 s.
            assert (await old.get(JWKS_PATH)).status == 200
            while len(names) < 20:
                await asyncio.sleep(0.01)
            assert set(names) == {"first"}
            mounted("second")
            while names[-1] != "second" and not any(client.done() for client in clients):
                await asyncio.sleep(0.01)
            stop.set()
            await asyncio.gather(*clients)
            reply = await old.get(JWKS_PATH)
            assert (reply.status, name_of(old)) == (200, "first")
            assert reply.headers["strict-transport-security"] == "max-age=31536000"
        assert names == sorted(names), "once replaced, the old certificate is not shown again"
        assert len(proxy.logged("certificate replaced")) == 1
        for secret in (folder / "tls.key").read_text().splitlines()[1:-1]:
            assert secret not in proxy.log_text


async def test_plain_http_and_clients_that_say_nothing_harm_nobody(settings, mounted, authority, tmp_path):
    folder = mounted("first")
    own = {"KRAUT_TLS_CERT_FILE": str(folder / "tls.crt"), "KRAUT_TLS_KEY_FILE": str(folder / "tls.key")}
    tls = ssl.create_default_context(cafile=str(authority.files.certificate))
    async with ProxyProcess.running(settings | own, tmp_path / "log") as proxy:
        silent = [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(50)]
        with pytest.raises(ConnectionError):
            await proxy.get(JWKS_PATH)
        await proxy.until_get(JWKS_PATH, lambda reply: reply.status == 200, tls=tls)
        for _, writer in silent:
            writer.close()
