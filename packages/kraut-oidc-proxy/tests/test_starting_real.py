"""How the proxy starts: what must be there at once, and what may come later."""

import json
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import RSAKey

from kraut_oidc_proxy.issuers import JWKS_PATH
from kraut_oidc_proxy.testing import ProxyProcess

pytestmark = pytest.mark.integration

EAST, WEST = "https://oidc.example.com/east", "https://oidc.example.com/west"
KEY = RSAKey.import_key(rsa.generate_private_key(public_exponent=65537, key_size=2048), {"kid": "a", "alg": "RS256"})
KEYS = json.dumps({"keys": [KEY.as_dict(private=False)]}).encode()


def served(reply):
    return reply.status == 200


async def test_an_issuer_whose_kubeconfig_cannot_be_used_yet_leaves_the_others_alone(rude, kubeconfig_for, tmp_path):
    """A file that is missing, and an exec plugin that fails for the moment."""
    wanted = tmp_path / "plugin-works"
    absent = tmp_path / "absent.kubeconfig"
    async with rude(EAST, KEYS) as east, rude(WEST, KEYS) as west:
        plugin = yaml.safe_load(Path(kubeconfig_for(west)).read_text())
        answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "t"}}
        plugin["users"][0]["user"] = {
            "exec": {
                "apiVersion": "client.authentication.k8s.io/v1",
                "interactiveMode": "Never",
                "command": "/bin/sh",
                "args": ["-c", f"test -e {wanted} && echo '{json.dumps(answer)}'"],
            }
        }
        failing = tmp_path / "failing.kubeconfig"
        failing.write_text(yaml.safe_dump(plugin))
        north = "https://oidc.example.com/north"
        further = [{"issuer": WEST, "kubeconfig": str(failing)}, {"issuer": north, "kubeconfig": str(absent)}]
        listed = tmp_path / "issuers.yaml"
        listed.write_text(yaml.safe_dump(further))
        settings = {
            "PATH": "/usr/bin:/bin",
            "KRAUT_OIDC_ISSUER": EAST,
            "KRAUT_KUBE_KUBECONFIG": kubeconfig_for(east),
            "KRAUT_OIDC_ISSUERS_FILE": str(listed),
        }
        async with ProxyProcess.running(settings, tmp_path / "log") as proxy:
            await proxy.until_get(f"/east{JWKS_PATH}", served)
            await proxy.until(lambda: len(proxy.logged("api server not read")) >= 2, "said what cannot be used")
            for prefix in ("west", "north"):
                assert (await proxy.get(f"/{prefix}{JWKS_PATH}")).status == 503
            assert (await proxy.probe("/readyz")).status == 200
            assert {line["issuer"] for line in proxy.logged("api server not read")} == {WEST, north}
            wanted.touch()
            await proxy.until_get(f"/west{JWKS_PATH}", served)
            async with rude(north, KEYS) as late:
                absent.write_text(Path(kubeconfig_for(late)).read_text())
                await proxy.until_get(f"/north{JWKS_PATH}", served)
