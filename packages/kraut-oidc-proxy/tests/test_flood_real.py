"""More connections than the proxy takes, as a process with its own event loop: whoever says nothing, or not even TLS, costs a bounded amount."""

import asyncio
import json
import ssl

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import RSAKey

from kraut_lab.pki import CertificateAuthority
from kraut_oidc_proxy.issuers import JWKS_PATH
from kraut_oidc_proxy.testing import ProxyProcess

pytestmark = pytest.mark.integration

ISSUER = "https://oidc.example.com"
KEY = RSAKey.import_key(rsa.generate_private_key(public_exponent=65537, key_size=2048), {"kid": "a", "alg": "RS256"})
KEYS = json.dumps({"keys": [KEY.as_dict(private=False)]}).encode()
LIMIT = 10


def served(reply):
    return reply.status == 200


async def read_to_the_end(stream):
    reader, writer = stream
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.transport.abort()


async def until_answered(proxy, tls):
    """The proxy notices a moment later that connections were given up; until then it takes no other one."""
    while True:
        try:
            assert served(await proxy.get(JWKS_PATH, tls=tls))
        except OSError:
            await asyncio.sleep(0.05)
        else:
            return


@pytest.mark.parametrize("secure", [True, False])
async def test_who_comes_above_the_limit_is_sent_away_at_once_and_the_rest_is_not(
    rude, kubeconfig_for, tmp_path, secure
):
    authority = CertificateAuthority(tmp_path / "pki", "ca")
    pair = authority.issue("proxy", "proxy", hosts=("localhost",))
    tls = ssl.create_default_context(cafile=str(authority.files.certificate)) if secure else None
    async with rude(ISSUER, KEYS) as server:
        settings = {
            "KRAUT_OIDC_ISSUER": ISSUER,
            "KRAUT_KUBE_KUBECONFIG": kubeconfig_for(server),
            "KRAUT_OIDC_MAX_CONNECTIONS": str(LIMIT),
        }
        if secure:
            settings |= {"KRAUT_TLS_CERT_FILE": str(pair.certificate), "KRAUT_TLS_KEY_FILE": str(pair.key)}
        async with ProxyProcess.running(settings, tmp_path / "log") as proxy, asyncio.timeout(150):
            # At the other port, so that no connection lingers at this one.
            await proxy.until_get("/readyz", served, port=proxy.probe_port)

            async def connect():
                return await asyncio.open_connection("127.0.0.1", proxy.port)

            silent = [asyncio.create_task(read_to_the_end(await connect())) for _ in range(LIMIT)]
            late = [asyncio.create_task(read_to_the_end(await connect())) for _ in range(3 * LIMIT)]
            done, _ = await asyncio.wait(late, return_when=asyncio.ALL_COMPLETED)
            assert {task.result() for task in done} == {b""}
            assert not any(task.done() for task in silent), "those were there first, and have their ten seconds"
            for task in silent:
                task.cancel()
            await asyncio.gather(*silent, return_exceptions=True)
            await until_answered(proxy, tls)
            assert (await proxy.probe("/readyz")).status == 200
            assert await proxy.terminate() == 0
