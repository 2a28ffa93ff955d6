"""kubectl through kraut-credential: as a service account of east in west, with no secret of west; nothing else gets in."""

import asyncio
import base64
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

WEST = "https://api.west.example.com"
USER = "kraut:east:system:serviceaccount:kraut-system:kraut-worker"
PLUGIN = [sys.executable, "-m", "kraut_cli.credential"]


def kubectl(config, *words):
    program = Path(sys.executable).with_name("kubectl")
    argv = [program, f"--kubeconfig={config}", f"--cache-dir={config.parent / '.cache'}", *words]
    return subprocess.run(
        argv, capture_output=True, text=True, check=False, timeout=120, env={"HOME": str(config.parent)}
    )


async def until_it_works(config, *words):
    """An API server looks for the keys of its issuers in the background after its start."""
    async with asyncio.timeout(150):
        while True:
            done = await asyncio.to_thread(kubectl, config, *words)
            if done.returncode == 0:
                return done
            await asyncio.sleep(0.3)


@pytest.fixture
def through(site, tmp_path):
    """``through(server, *options)``: a kubeconfig for a server whose user is the plugin."""

    def make(server, *options, told=None):
        ca = base64.b64encode(site.cluster_ca.read_bytes()).decode()
        cluster = {"server": server.url, "certificate-authority-data": ca}
        if told:
            extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": told}}
            cluster["extensions"] = [extension]
        run = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "interactiveMode": "Never",
            "provideClusterInfo": True,
            "command": PLUGIN[0],
            "args": [*PLUGIN[1:], *map(str, options)],
        }
        document = {
            "current-context": "x",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"exec": run}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        }
        config = tmp_path / f"{len(list(tmp_path.iterdir()))}.kubeconfig"
        config.write_text(json.dumps(document))
        return config

    return make


@pytest.fixture
def as_worker(site):
    return [
        "--service-account=kraut-system/kraut-worker",
        f"--kubeconfig={site.proxy_kubeconfig.with_name('requester')}",
    ]


@pytest.fixture(autouse=True)
def requester(site):
    """Who may ask for tokens of the account: the administrator of east."""
    site.proxy_kubeconfig.with_name("requester").write_text(site.kubeconfig.read_text())


async def test_kubectl_is_a_service_account_of_east_in_west(through, west, as_worker):
    config = through(west, f"--audience={WEST}", *as_worker)
    done = await until_it_works(config, "auth", "whoami", "-o", "json")
    assert json.loads(done.stdout)["status"]["userInfo"]["username"] == USER
    refused = kubectl(config, "get", "secrets", "-A")
    assert "Forbidden" in refused.stderr, "the RBAC of west decides"
    told = through(west, *as_worker, told=WEST)
    assert kubectl(told, "auth", "whoami").returncode == 0


async def test_a_token_for_west_is_refused_by_east(through, site, west, as_worker):
    await until_it_works(through(west, f"--audience={WEST}", *as_worker), "auth", "whoami")
    done = kubectl(through(site.server, f"--audience={WEST}", *as_worker), "auth", "whoami")
    assert done.returncode != 0
    assert "must be logged in" in done.stderr or "Unauthorized" in done.stderr, done.stderr


async def test_through_a_projected_file_and_dex(through, site, west, tmp_path):
    token = tmp_path / "token"
    token.write_text(site.server.token("kraut-system", "kraut-worker", site.dex.issuer))
    cache = tmp_path / "cache"
    options = [
        *("--audience=west", f"--token-file={token}", f"--token-endpoint={site.dex.token_endpoint}"),
        *(f"--subject-audience={site.dex.issuer}", "--subject-token-type=id_token", "--requested-token-type=id_token"),
        *("--no-send-audience", "--scope=openid", "--scope=profile", "--scope=federated:id"),
        *("--parameter=connector_id=east", "--client-authentication=client_secret_basic", "--client-id=west"),
        *(
            f"--client-secret-file={site.dex.secret_file('west')}",
            f"--ca-file={site.ca}",
            "--allow-network=127.0.0.0/8",
        ),
        f"--cache-dir={cache}",
    ]
    config = through(west, *options)
    done = await until_it_works(config, "auth", "whoami", "-o", "json")
    assert json.loads(done.stdout)["status"]["userInfo"]["username"] == USER
    [kept] = cache.iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    first = kept.read_text()
    token.write_text("nothing any more")
    assert kubectl(config, "auth", "whoami").returncode == 0, "the kept token is good for a while"
    assert kept.read_text() == first
    kept.chmod(0o644)
    done = kubectl(config, "auth", "whoami")
    assert done.returncode != 0, "what others may read is not used"
    assert "should hold a service account token" in done.stderr


def test_what_is_wrong_is_said_without_the_token(site, tmp_path):
    token = tmp_path / "token"
    token.write_text(site.server.token("kraut-system", "kraut-worker", site.issuer))
    argv = [*PLUGIN, f"--audience={WEST}", f"--token-file={token}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=os.environ)
    assert (done.returncode, done.stdout) == (1, "")
    assert "should be for the audience" in done.stderr
    assert "eyJ" not in done.stderr
