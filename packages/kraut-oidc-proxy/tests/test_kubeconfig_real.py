"""A kubeconfig that is changed under a running proxy: what it says by then counts, without a restart."""

import base64
import json
import ssl

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import RSAKey

from kraut_lab.pki import CertificateAuthority
from kraut_oidc_proxy.issuers import JWKS_PATH
from kraut_oidc_proxy.testing import ProxyProcess

pytestmark = pytest.mark.integration

OWN, FURTHER = "https://oidc.example.com/own", "https://oidc.example.com/further"


def keys(kid):
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key = RSAKey.import_key(private, {"kid": kid, "alg": "RS256"})
    return json.dumps({"keys": [key.as_dict(private=False)]}).encode()


def shows(kid):
    return lambda reply: reply.status == 200 and [key["kid"] for key in reply.json()["keys"]] == [kid]


class Cluster:
    """An authority of its own, and what an API server with a certificate of it needs."""

    def __init__(self, folder, name):
        authority = CertificateAuthority(folder / name, name)
        self.ca = authority.files.certificate
        pair = authority.issue("server", "server", hosts=("127.0.0.1",))
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.tls.load_cert_chain(pair.certificate, pair.key)

    def kubeconfig(self, server):
        cluster = {
            "server": server.url,
            "certificate-authority-data": base64.b64encode(self.ca.read_bytes()).decode(),
        }
        document = {
            "clusters": [{"name": "a", "cluster": cluster}],
            "users": [{"name": "a", "user": {"token": "never-expires"}}],
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
            "current-context": "a",
        }
        return yaml.safe_dump(document)


async def test_a_server_that_moved_under_another_authority_is_found(rude, tmp_path):
    """Of its own issuer and of a further one, whose token says nothing of its end: nothing else would make them look again."""
    before, after = Cluster(tmp_path, "before"), Cluster(tmp_path, "after")
    files = {issuer: tmp_path / f"{issuer.rpartition('/')[2]}.kubeconfig" for issuer in (OWN, FURTHER)}
    listed = tmp_path / "issuers.yaml"
    listed.write_text(yaml.safe_dump([{"issuer": FURTHER, "kubeconfig": str(files[FURTHER])}]))
    settings = {
        "KRAUT_OIDC_ISSUER": OWN,
        "KRAUT_KUBE_KUBECONFIG": str(files[OWN]),
        "KRAUT_OIDC_ISSUERS_FILE": str(listed),
        "KRAUT_OIDC_RETAIN_SECONDS": "0",
    }

    def old(issuer):
        return rude(issuer, keys("old"), before.tls)

    async with rude(OWN, keys("new"), after.tls) as own, rude(FURTHER, keys("new"), after.tls) as further:
        moved = {OWN: own, FURTHER: further}
        async with old(OWN) as old_own, old(FURTHER) as old_further:
            for issuer, server in ((OWN, old_own), (FURTHER, old_further)):
                files[issuer].write_text(before.kubeconfig(server))
            running = ProxyProcess.running(settings, tmp_path / "log")
            proxy = await running.__aenter__()
            try:
                for prefix in ("own", "further"):
                    await proxy.until_get(f"/{prefix}{JWKS_PATH}", shows("old"))
                for issuer, server in moved.items():
                    files[issuer].write_text(after.kubeconfig(server))
                for prefix in ("own", "further"):
                    await proxy.until_get(f"/{prefix}{JWKS_PATH}", shows("new"))
            finally:
                await running.__aexit__(None, None, None)
