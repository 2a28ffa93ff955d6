"""A token that acts in the cluster it comes from is sent to nobody, whatever the command line says: statement 8."""

import asyncio
import base64
import json
import os
import ssl
import subprocess
import sys
from typing import ClassVar

import pytest
import yaml
from aiohttp import web

from kraut_core.kube.testing import FaultProxy
from kraut_lab.pki import CertificateAuthority
from kraut_lab.ports import choose_ports

pytestmark = pytest.mark.integration

HOME = "https://api.east.example.com"
"""What east's API server accepts, apart from its issuer: --api-audiences."""
WEST = "https://api.west.example.com"


def made(issuer, audience):
    """A token as far as who sends it can tell."""
    parts = ({"alg": "RS256", "kid": "a"}, {"iss": issuer, "aud": [audience], "exp": 4_000_000_000}, "signature")
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return CertificateAuthority(tmp_path_factory.mktemp("pki"), "ca")


@pytest.fixture
async def east(authority):
    """East's API server, as far as it gives tokens; ``asked`` are the audiences that tokens were asked for."""
    pair = authority.issue("east", "east", hosts=("localhost",))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pair.certificate, pair.key)

    class East:
        issuer = "https://localhost:1"
        asked: ClassVar = []

    async def give(request):
        audiences = (await request.json())["spec"]["audiences"]
        East.asked += audiences
        status = {"token": made(East.issuer, (audiences or [HOME])[0]), "expirationTimestamp": "2096-10-02T07:06:40Z"}
        return web.json_response({"spec": {"audiences": audiences or [HOME]}, "status": status}, status=201)

    app = web.Application()
    app.router.add_post("/api/v1/namespaces/fleet/serviceaccounts/kraut/token", give)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    East.url = f"https://localhost:{runner.addresses[0][1]}"
    yield East
    await runner.cleanup()


@pytest.fixture
async def west():
    """Somebody's address; ``accepted`` counts who connected."""
    [closed] = choose_ports(1)
    async with FaultProxy.open(f"https://127.0.0.1:{closed}") as proxy:
        yield proxy


@pytest.fixture
def kubeconfig(east, west, authority, tmp_path):
    ca = base64.b64encode(authority.files.certificate.read_bytes()).decode()
    servers = {"east": east.url, "west": west.url}
    clusters = [
        {"name": name, "cluster": {"server": url, "certificate-authority-data": ca}} for name, url in servers.items()
    ]
    contexts = [{"name": name, "context": {"cluster": name, "user": "u"}} for name in servers]
    file = tmp_path / "kubeconfig"
    users = [{"name": "u", "user": {"token": "of-a-person"}}]
    file.write_text(
        yaml.safe_dump({"current-context": "east", "clusters": clusters, "contexts": contexts, "users": users})
    )
    return file


@pytest.fixture
def run(kubeconfig, tmp_path):
    """``await run(module, *words)``: exit code and all output, in which no token is."""

    async def run(module, *words):
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(tmp_path), "NO_COLOR": "1"}
        argv = [sys.executable, "-m", module, *map(str, words)]
        done = await asyncio.to_thread(
            subprocess.run, argv, capture_output=True, text=True, env=environment, timeout=300, check=False
        )
        assert "eyJ" not in done.stdout + done.stderr, "a token"
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture
def projected(east, tmp_path):
    """The file of a projected token: ``projected(audience)``."""

    def write(audience):
        file = tmp_path / "token"
        file.write_text(made(east.issuer, audience))
        return file

    return write


async def test_a_pods_own_token_is_shown_to_no_target(run, east, west, projected):
    """Its audience is its issuer's, as kube-apiserver has it by default."""
    file = projected(east.issuer)
    for audience in ([], ["--audience", east.issuer]):
        code, said = await run(
            "kraut_cli", "oidc", "check", east.issuer, "--token-file", file, "--target", "west", *audience
        )
        assert code == 2, said
    assert "an audience of its own" in said
    assert west.accepted == 0


async def test_a_token_in_a_file_is_shown_to_a_target_for_the_audience_that_was_named(run, east, west, projected):
    """What it is for is said by who sends it, not by what is sent: --api-audiences may be anything."""
    words = ("kraut_cli", "oidc", "check", east.issuer, "--token-file", projected(HOME), "--target", "west")
    code, said = await run(*words)
    assert code == 2, said
    assert "--audience" in said
    await run(*words, "--audience", WEST)
    assert west.accepted == 0, "it is for somebody else"
    await run(*words[:5], projected(WEST), *words[6:], "--audience", WEST)
    assert west.accepted == 1


async def test_a_token_of_another_issuer_is_shown_to_no_target(run, west, tmp_path):
    file = tmp_path / "token"
    file.write_text(made("https://localhost:2", WEST))
    words = ("--token-file", file, "--target", "west", "--audience", WEST)
    code, said = await run("kraut_cli", "oidc", "check", "https://localhost:1", *words)
    assert (code, west.accepted) == (3, 0), said


async def test_a_pods_own_token_is_shown_to_no_provider(run, east, west, projected):
    provider = ("--token-endpoint", f"{west.url}/token", "--client-id", "west", "--allow-network", "127.0.0.0/8")
    file = ("--token-file", projected(east.issuer), "--provider-audience", east.issuer)
    code, said = await run("kraut_cli", "oidc", "check", east.issuer, *file, *provider)
    assert code == 2, said
    assert west.accepted == 0


async def test_without_anybody_to_send_it_to_a_pods_own_token_is_looked_at(run, east, projected):
    code, said = await run("kraut_cli", "oidc", "check", east.issuer, "--token-file", projected(east.issuer))
    assert code == 3, "nobody publishes the issuer"
    assert "an audience of its own" not in said


async def test_no_token_is_asked_for_that_would_act_at_home(run, east, west):
    account = ("--context", "east", "--service-account", "fleet/kraut")
    target = ("--target", "west", "--audience", HOME)
    code, said = await run("kraut_cli", "oidc", "check", east.issuer, *account, *target)
    assert code == 2, said
    assert "an audience of its own" in said
    provider = ("--token-endpoint", f"{west.url}/token", "--client-id", "west", "--provider-audience", HOME)
    code, said = await run(
        "kraut_cli", "oidc", "check", east.issuer, *account, *provider, "--allow-network", "127.0.0.0/8"
    )
    assert code == 2, said
    assert (west.accepted, HOME in east.asked) == (0, False)
    await run("kraut_cli", "oidc", "check", east.issuer, *account, "--target", "west", "--audience", WEST)
    assert west.accepted == 1


async def test_kubectl_is_given_no_token_that_would_act_at_home(run, east, kubeconfig, projected):
    """The audience may come from the kubeconfig's entry of the target."""
    account = ("--service-account", "fleet/kraut", "--kubeconfig", kubeconfig)
    code, said = await run("kraut_cli.credential", "--audience", HOME, *account)
    assert code == 1
    assert "an audience of its own" in said
    assert HOME not in east.asked
    code, said = await run("kraut_cli.credential", "--audience", east.issuer, "--token-file", projected(east.issuer))
    assert code == 1
    assert "an audience of its own" in said


async def test_a_provider_is_shown_no_token_that_would_act_at_home(run, east, west, kubeconfig):
    account = ("--service-account", "fleet/kraut", "--kubeconfig", kubeconfig, "--allow-network", "127.0.0.0/8")
    exchange = ("--token-endpoint", f"{west.url}/token", "--subject-audience", HOME)
    code, said = await run("kraut_cli.credential", "--audience", WEST, *account, *exchange)
    assert code == 1
    assert "an audience of its own" in said
    assert (west.accepted, HOME in east.asked) == (0, False)
