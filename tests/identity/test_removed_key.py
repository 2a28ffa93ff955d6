"""Statement 3 at a real kube-apiserver, quickly: a removed key is trusted until a token with an unknown key id arrives.

How long it keeps what it has, and that a change of its file makes it forget too: test_rotation_at_west.py, test_oidc_check.py.
"""

import asyncio

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from tests.identity.publisher import Publisher, public_jwk
from tests.identity.reviews import Reviewer

from kraut_core.identity.authentication import Issuer, build_configuration, trust_cluster
from kraut_lab.controlplane.anotherserver import AnotherApiServer
from kraut_lab.pki import create_signing_key

pytestmark = pytest.mark.integration

WEST = "https://api.west.example.com"
SUBJECT = "system:serviceaccount:kraut-system:kraut-worker"
PATIENCE_SECONDS = 300


async def test_a_removed_key_is_forgotten_when_an_unknown_key_id_arrives(control_plane, authority, tmp_path):
    publisher = Publisher(authority.issue("forgotten", "forgotten", hosts=("localhost",)))
    server = AnotherApiServer(control_plane, "forgetful")
    pairs = [create_signing_key(tmp_path, name) for name in ("old", "new", "stranger")]
    old, new, stranger = (load_pem_private_key(private.read_bytes(), None) for private, _ in pairs)
    publisher.keys = [public_jwk(*pair) for pair in pairs[:2]]
    ca = authority.files.certificate.read_text()
    entry = trust_cluster(Issuer(url=publisher.issuer, audience=WEST, ca=ca), "rotating")
    config = tmp_path / "authentication.yaml"
    config.write_text(yaml.safe_dump(build_configuration([entry])))
    accepts = Reviewer(server.url, control_plane.ca)

    def token(key):
        # Another one each time: kube-apiserver remembers for 10 s that a token was good.
        return publisher.token(key, SUBJECT, WEST)

    try:
        await asyncio.to_thread(server.start, more={"authentication-config": str(config)})
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await accepts(token(old)):
                await asyncio.sleep(0.2)
        assert await accepts(token(new))
        publisher.keys = publisher.keys[1:]
        assert await accepts(token(old)), "cached keys are tried before their age (kubernetes/kubernetes#142100)"
        assert not await accepts(token(stranger)), "and makes it look at the keys"
        assert not await accepts(token(old)), "forgotten"
        assert await accepts(token(new))
    finally:
        server.kill()
        publisher.stop()
