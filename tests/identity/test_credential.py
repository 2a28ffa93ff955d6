"""kubectl through kraut-credential: as a service account of east in west, with no secret of west; nothing else gets in."""

import json
import os
import stat
import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration

WEST = "https://api.west.example.com"
USER = "kraut:east:system:serviceaccount:kraut-system:kraut-worker"
PLUGIN = [sys.executable, "-m", "kraut_cli.credential"]


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


async def test_kubectl_is_a_service_account_of_east_in_west(kubectl, through, west, as_worker):
    config = through(west, f"--audience={WEST}", *as_worker)
    done = await kubectl.until_it_works(config, "auth", "whoami", "-o", "json")
    assert json.loads(done.stdout)["status"]["userInfo"]["username"] == USER
    refused = kubectl(config, "get", "secrets", "-A")
    assert "Forbidden" in refused.stderr, "the RBAC of west decides"
    told = through(west, *as_worker, told=WEST)
    assert kubectl(told, "auth", "whoami").returncode == 0


async def test_a_token_for_west_is_refused_by_east(kubectl, through, site, west, as_worker):
    await kubectl.until_it_works(through(west, f"--audience={WEST}", *as_worker), "auth", "whoami")
    done = kubectl(through(site.server, f"--audience={WEST}", *as_worker), "auth", "whoami")
    assert done.returncode != 0
    assert "must be logged in" in done.stderr or "Unauthorized" in done.stderr, done.stderr


async def test_through_a_projected_file_and_dex(kubectl, through, site, west, tmp_path):
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
    done = await kubectl.until_it_works(config, "auth", "whoami", "-o", "json")
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
