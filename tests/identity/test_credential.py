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


@pytest.fixture
def by_exchange(site, tmp_path):
    """Options of an exchange at Dex of the token in the file ``token``, kept in the folder ``cache``."""
    token, cache = tmp_path / "token", tmp_path / "cache"
    token.write_text(site.server.token("kraut-system", "kraut-worker", site.dex.issuer))
    return [
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


def kept_in(cache):
    return {file.name: json.loads(file.read_text())["token"] for file in cache.iterdir()}


async def test_through_a_projected_file_and_dex(kubectl, through, site, west, by_exchange, tmp_path):
    config = through(west, *by_exchange)
    done = await kubectl.until_it_works(config, "auth", "whoami", "-o", "json")
    assert json.loads(done.stdout)["status"]["userInfo"]["username"] == USER
    [kept] = (tmp_path / "cache").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    first = kept_in(tmp_path / "cache")
    assert kubectl(config, "auth", "whoami").returncode == 0
    assert kept_in(tmp_path / "cache") == first, "the kept token is good for a while"

    other = site.server.token("kraut-system", "kraut-oidc-proxy", site.dex.issuer)
    (tmp_path / "token").write_text(other)
    done = kubectl(config, "auth", "whoami", "-o", "json")
    assert json.loads(done.stdout)["status"]["userInfo"]["username"] == USER.replace("kraut-worker", "kraut-oidc-proxy")
    (tmp_path / "token").write_text("nothing any more")
    done = kubectl(config, "auth", "whoami")
    assert done.returncode != 0
    assert "should hold a service account token" in done.stderr
    assert len(kept_in(tmp_path / "cache")) == 2


async def test_a_kept_token_that_the_target_refuses_is_replaced(kubectl, through, west, by_exchange, tmp_path):
    """client-go runs the plugin again after a 401; the command itself has failed by then, the next one works."""
    config = through(west, *by_exchange)
    await kubectl.until_it_works(config, "auth", "whoami")
    [kept] = (tmp_path / "cache").iterdir()
    document = json.loads(kept.read_text())
    head, payload, signature = document["token"].split(".")
    kept.write_text(json.dumps({**document, "token": f"{head}.{payload}.{signature[::-1]}"}))
    done = kubectl(config, "auth", "whoami")
    assert done.returncode != 0
    assert kubectl(config, "auth", "whoami").returncode == 0, done.stderr


def test_a_projected_token_is_not_kept_a_second_time(site, tmp_path):
    token, cache = tmp_path / "token", tmp_path / "cache"
    for account in ("kraut-worker", "kraut-oidc-proxy"):
        token.write_text(site.server.token("kraut-system", account, WEST))
        argv = [*PLUGIN, f"--audience={WEST}", f"--token-file={token}", f"--cache-dir={cache}"]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)["status"]["token"] == token.read_text()
    assert not cache.exists()


def test_what_is_wrong_is_said_without_the_token(site, tmp_path):
    token = tmp_path / "token"
    token.write_text(site.server.token("kraut-system", "kraut-worker", site.issuer))
    argv = [*PLUGIN, f"--audience={WEST}", f"--token-file={token}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=os.environ)
    assert (done.returncode, done.stdout) == (1, "")
    assert "should be for the audience" in done.stderr
    assert "eyJ" not in done.stderr
