"""How the proxy starts: what must be there at once, and what may come later."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import RSAKey

from kraut_core.settings import load_settings
from kraut_oidc_proxy.issuers import DISCOVERY_PATH, JWKS_PATH
from kraut_oidc_proxy.settings import OidcProxyProcessSettings
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
            # The first one's API server, which is this process, is not to be taken for one that does not answer.
            "KRAUT_OIDC_TIMEOUT_SECONDS": "300",
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


MOUNT = """
mount -t tmpfs none /run
mkdir -p /run/secrets/kubernetes.io/serviceaccount
mount --bind "$1" /run/secrets/kubernetes.io/serviceaccount
shift
exec "$@"
"""
"""What a pod has, in a mount namespace: nobody else sees it, and it is gone with the process."""


@pytest.fixture
def pod(control_plane, tmp_path):
    """Words that start a program as in a pod, and its environment."""
    unshare = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--mount"]
    if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine gives no mount namespace")
    account = tmp_path / "serviceaccount"
    account.mkdir()
    (account / "token").write_text(control_plane.token("oidc-proxy"))
    (account / "ca.crt").write_bytes(control_plane.ca.read_bytes())
    (account / "namespace").write_text("kraut-system")
    host, _, port = control_plane.url.removeprefix("https://").partition(":")
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": port,
    }
    return [*unshare, "--propagation=private", "/bin/sh", "-e", "-c", MOUNT, "sh", str(account)], environment


async def test_in_a_pod_it_needs_the_issuer_and_nothing_else(control_plane, pod, tmp_path):
    """The pod's token, authorities and API server are found; ports and addresses are the tests', so that several can run."""
    inside, environment = pod
    own = environment | {"KRAUT_OIDC_ISSUER": control_plane.url}
    async with ProxyProcess.running(own, tmp_path / "log", inside=inside) as proxy:
        found = await proxy.until_get(DISCOVERY_PATH, served)
        assert found.json()["issuer"] == control_plane.url
        assert (await proxy.get(JWKS_PATH)).json()["keys"]
        assert (await proxy.probe("/readyz")).status == 200
        assert (tmp_path / "serviceaccount" / "token").read_text() not in proxy.log_text
        assert await proxy.terminate() == 0


def test_with_the_issuer_alone_all_else_has_a_default(monkeypatch):
    for name in [name for name in os.environ if name.startswith("KRAUT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KRAUT_OIDC_ISSUER", EAST)
    found = load_settings(OidcProxyProcessSettings)
    assert (found.oidc.issuer, found.oidc.host, found.oidc.port, found.probe.port) == (EAST, "0.0.0.0", 8000, 8080)
    assert (found.kube.kubeconfig, found.tls.cert_file, found.oidc.api_servers) == (None, None, "")
