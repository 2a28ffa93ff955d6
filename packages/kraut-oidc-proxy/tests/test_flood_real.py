"""More connections than the proxy takes, as a process with its own event loop: whoever says nothing, or not even TLS, costs a bounded amount."""

import asyncio
import json
import ssl

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import RSAKey

from kraut_lab.pki import CertificateAuthority
from kraut_oidc_proxy.issuers import JWKS_PATH
from kraut_oidc_proxy.protocol import REQUEST_SECONDS
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


async def the_late_are_sent_away(port):
    """Open more connections than there are places for; False when this machine stood still for so long that nothing can be told."""

    async def connect():
        return asyncio.create_task(read_to_the_end(await asyncio.open_connection("127.0.0.1", port)))

    began = asyncio.get_running_loop().time()
    silent = [await connect() for _ in range(LIMIT)]
    late = [await connect() for _ in range(3 * LIMIT)]
    assert set(await asyncio.gather(*late)) == {b""}
    stayed = not any(task.done() for task in silent)
    for task in silent:
        task.cancel()
    await asyncio.gather(*silent, return_exceptions=True)
    if asyncio.get_running_loop().time() - began >= REQUEST_SECONDS:
        return False
    assert stayed, "those were there first, and have their ten seconds"
    return True


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
        async with ProxyProcess.running(settings, tmp_path / "log") as proxy:
            # At the other port, so that no connection lingers at this one.
            await proxy.until_get("/readyz", served, port=proxy.probe_port)

            async with asyncio.timeout(150):
                while not await the_late_are_sent_away(proxy.port):
                    await until_answered(proxy, tls)
                await until_answered(proxy, tls)
            assert (await proxy.probe("/readyz")).status == 200
            assert await proxy.terminate() == 0
