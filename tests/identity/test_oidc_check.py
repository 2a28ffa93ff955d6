"""``kraut oidc check`` and ``forget-keys`` with real API servers: what is right, what is wrong, forged tokens, a removed key."""

import asyncio
import json
import os
import subprocess
import sys

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from tests.identity.publisher import Publisher, public_jwk

from kraut_core.identity.authentication import Issuer, build_configuration, trust_cluster
from kraut_core.kube.testing import FaultProxy, point_kubeconfig
from kraut_lab.pki import create_signing_key
from kraut_lab.ports import choose_ports
from kraut_lab.sites.kubeconfig import write_contexts

WEST = "https://api.west.example.com"
SUBJECT = "system:serviceaccount:kraut-system:kraut-worker"
PATIENCE_SECONDS = 150


def contexts(folder, site, west, control_plane):
    """A kubeconfig with contexts east, west, and stranger: an API server that trusts nobody."""
    at_west = point_kubeconfig(control_plane.kubeconfig(), west.url, folder / "west.kubeconfig")
    servers = {"east": site.kubeconfig, "west": at_west, "stranger": control_plane.kubeconfig()}
    write_contexts(folder / "kubeconfig", servers)
    return folder / "kubeconfig"


def oidc_commands(kubeconfig):
    """``await kraut(...)``: exit code, findings (None without any), all output."""

    async def run(*arguments):
        argv = [sys.executable, "-m", "kraut_cli", "oidc", *map(str, arguments)]
        env = {"KUBECONFIG": str(kubeconfig), "PATH": os.environ["PATH"]}
        done = await asyncio.to_thread(subprocess.run, argv, capture_output=True, text=True, env=env, timeout=300)
        findings = json.loads(done.stdout)["findings"] if done.stdout.startswith("{") else None
        assert "eyJ" not in done.stdout + done.stderr, "no token is shown"
        return done.returncode, findings, done.stdout + done.stderr

    return run


def checks(kraut, site):
    """``await check(...)``: of an issuer that is reached as the lab's are."""

    async def run(*arguments):
        trust = ("--ca-file", site.ca, "--allow-network", "127.0.0.0/8")
        return await kraut("check", *trust, "-o", "json", *arguments)

    return run


@pytest.fixture
def kraut(site, west, control_plane, tmp_path):
    return oidc_commands(contexts(tmp_path, site, west, control_plane))


@pytest.fixture
def check(kraut, site):
    return checks(kraut, site)


def level(findings, check):
    return {finding["level"] for finding in findings if finding["check"] == check}


async def until_trusted(check, *arguments):
    """An API server looks for the keys of its issuers in the background after its start."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            code, findings, said = await check(*arguments)
            if findings is None or level(findings, "target") != {"problem"}:
                return code, findings, said


@pytest.mark.integration
async def test_all_is_well_and_every_forged_token_is_refused(check, site, control_plane):
    live = ("--context", "east", "--service-account", "kraut-system/kraut-worker", "--audience", WEST)
    dex = ("--token-endpoint", site.dex.token_endpoint, "--client-id", "west", "--connector", "east")
    everything = (*live, "--target", "west", *dex, "--client-secret-file", site.dex.secret_file("west"))
    code, findings, said = await until_trusted(check, *everything)
    assert code == 0, said
    assert {finding["level"] for finding in findings} == {"ok"}, findings
    assert {"issuer", "keys", "token", "provider", "target"} <= {finding["check"] for finding in findings}

    own_key = control_plane.folder / "pki" / "service-account.key"
    removed, _ = create_signing_key(control_plane.folder / "pki", "never-published")
    drill = ("--negative", "--signing-key", own_key, "--removed-key", removed)
    by_hand = (
        *("--token-endpoint", site.dex.token_endpoint, "--client-id", "west"),
        *("--client-secret-file", site.dex.secret_file("west"), "--client-authentication", "client_secret_post"),
        *("--subject-token-type", "id_token", "--requested-token-type", "id_token", "--no-send-audience"),
        *("--scope", "openid", "--scope", "profile", "--scope", "federated:id", "--parameter", "connector_id=east"),
    )
    code, findings, said = await check(*live, "--target", "west", *drill, *by_hand)
    assert code == 0, said
    assert level(findings, "provider") == level(findings, "target") == {"ok"}, "as with --connector"
    forged = [finding for finding in findings if finding["check"].startswith("forged")]
    assert len(forged) == 19
    # What kube-apiserver takes by design: any algorithm of the key's kind, and any `iat`.
    accepted = {finding["check"]: finding["level"] for finding in forged if finding["message"] != "west refuses it"}
    assert accepted == {
        "forged: PS256 with a key for RS256": "warning",
        "forged: issued in the future (iat)": "warning",
    }


@pytest.mark.integration
async def test_a_target_that_stops_answering_has_refused_nothing(check, site, west, control_plane, tmp_path):
    """It takes a good token twice, as one that works and as what the forged ones are compared with, and is gone then."""
    live = ("--context", "east", "--service-account", "kraut-system/kraut-worker", "--audience", WEST)
    await until_trusted(check, *live, "--target", "west")
    async with FaultProxy.open(west.url) as proxy:
        fading = point_kubeconfig(control_plane.kubeconfig(), proxy.url, tmp_path / "fading.kubeconfig")
        write_contexts(tmp_path / "kubeconfig", {"east": site.kubeconfig, "west": fading})
        running = asyncio.create_task(check(*live, "--target", "west", "--negative"))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while proxy.accepted < 2:
                assert not running.done()
                await asyncio.sleep(0.001)
        proxy.refusing = True
        code, findings, said = await running
    assert level(findings, "target") == {"ok"}
    assert "unknown" in {finding["level"] for finding in findings if finding["check"].startswith("forged")}
    assert code == 3, said


@pytest.mark.integration
async def test_a_token_out_of_a_file_is_for_one_audience_and_that_is_said(check, site, west, tmp_path):
    file = tmp_path / "token"
    file.write_text(site.server.token("kraut-system", "kraut-worker", WEST))
    code, findings, said = await until_trusted(
        check, site.issuer, "--token-file", file, "--target", "west", "--audience", WEST, "--negative"
    )
    assert code == 0, said
    assert level(findings, "forged: another audience") == {"warning"}


@pytest.mark.integration
async def test_what_is_wrong_is_said_with_what_to_do(check, kraut, site):
    live = ("--context", "east", "--service-account", "kraut-system/kraut-worker")
    [closed] = choose_ports(1)
    for arguments, name in (
        ((f"https://localhost:{closed}",), "reachable"),
        ((f"{site.issuer}/", *live), "issuer"),
        ((*live, "--target", "stranger", "--audience", WEST), "target"),
        (
            (*live, "--token-endpoint", site.dex.token_endpoint, "--client-id", "west", "--connector", "north"),
            "provider",
        ),
    ):
        code, findings, said = await check(*arguments)
        assert code == 3, said
        found = next(finding for finding in findings if finding["level"] == "problem")
        assert found["check"] == name
        assert found["advice"]
    code, _, said = await kraut("check", site.issuer, "--allow-network", "127.0.0.0/8", "-o", "json")
    assert code == 3
    assert "certificate is not trusted" in said
    code, _, said = await kraut("check", site.issuer, "--ca-file", site.ca, "-o", "json")
    assert code == 3
    assert "--allow-network" in said
    assert (await kraut("check", site.issuer, "--negative"))[0] == 2


@pytest.fixture
def publisher(authority):
    found = Publisher(authority.issue("publisher", "publisher", hosts=("localhost",)))
    yield found
    found.stop()


@pytest.mark.sweep
async def test_a_removed_key_is_found_trusted_and_forgotten_at_once(
    own_site, own_west, control_plane, publisher, tmp_path
):
    """Statement 3: kube-apiserver trusts a removed key until its AuthenticationConfiguration changes, if only in a comment."""
    kraut = oidc_commands(contexts(tmp_path, own_site, own_west, control_plane))
    check = checks(kraut, own_site)
    pairs = [create_signing_key(tmp_path, name) for name in ("old", "new")]
    old, new = (load_pem_private_key(private.read_bytes(), None) for private, _ in pairs)
    jwks = [public_jwk(*pair) for pair in pairs]
    publisher.keys = jwks
    config = own_site.folder / "authentication.yaml"
    entry = trust_cluster(Issuer(url=publisher.issuer, audience=WEST, ca=own_site.ca.read_text()), "rotating")
    config.write_text(yaml.safe_dump(build_configuration([entry], existing=yaml.safe_load(config.read_text()))))

    def token_file(key, name):
        file = tmp_path / name
        file.write_text(publisher.token(key, SUBJECT, WEST))
        return file

    token = token_file(new, "new.token")
    at_west = (publisher.issuer, "--target", "west", "--audience", WEST, "--token-file")
    for file in (token, token_file(old, "old.token")):
        code, findings, said = await until_trusted(check, *at_west, file)
        assert code == 0, said

    publisher.keys = jwks[1:]
    drill = (*at_west, token, "--negative", "--removed-key", pairs[0][0])
    code, findings, said = await check(*drill)
    assert code == 1, "removed, and still trusted (kubernetes/kubernetes#142100)"
    assert level(findings, "forged: a removed key") == {"problem"}
    assert "forget-keys" in said

    before = yaml.safe_load(config.read_text())
    # What else made it look for keys is over: only the change of the file can make it forget.
    publisher.keys = jwks
    code, _, said = await until_trusted(check, *at_west, token_file(old, "again.token"))
    assert code == 0, said
    publisher.keys = jwks[1:]
    code, _, said = await kraut("forget-keys", config, "--wait", "--context", "west", "--timeout", "3m")
    assert code == 0, said
    assert yaml.safe_load(config.read_text()) == before
    code, findings, said = await until_trusted(check, *drill)
    assert code == 0, said
    assert level(findings, "forged: a removed key") == {"ok"}
