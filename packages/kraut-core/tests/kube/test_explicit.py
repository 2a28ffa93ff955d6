"""A kubeconfig out of a Secret is data: it reads no file, runs no program, and never gives a token of this process away."""

import base64
import json

import pytest

from kraut_core.errors import InvalidSpecError, KrautError, SecretError
from kraut_core.kube.explicit import Endpoint, explicit_access, parse_kubeconfig
from kraut_core.kube.transport import Transport

PEM = base64.b64encode(b"-----BEGIN CERTIFICATE-----\n").decode()
CLUSTER = {"server": "https://a:6443/", "certificate-authority-data": PEM}
USER = {"token": "t0ken\n"}


def kubeconfig(cluster=CLUSTER, user=USER, **changes):
    document = {
        "current-context": "one",
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u"}},
            {"name": "two", "context": {"cluster": "d", "user": "u"}},
        ],
        "clusters": [{"name": "c", "cluster": cluster}, {"name": "d", "cluster": {"server": "https://d"}}],
        "users": [{"name": "u", "user": user}],
        **changes,
    }
    return json.dumps(document).encode()


def test_inline_data_is_taken():
    found = parse_kubeconfig("east", kubeconfig())
    assert found == Endpoint(server="https://a:6443", ca="-----BEGIN CERTIFICATE-----\n", token="t0ken")
    assert "t0ken" not in repr(found)
    assert found.secrets == ("t0ken",)
    assert parse_kubeconfig("east", kubeconfig(), "two").server == "https://d"
    pair = parse_kubeconfig("east", kubeconfig(user={"client-certificate-data": PEM, "client-key-data": PEM}))
    assert pair.key.startswith("-----BEGIN")


@pytest.mark.parametrize(
    ("cluster", "user"),
    [
        ({**CLUSTER, "insecure-skip-tls-verify": True}, USER),
        ({**CLUSTER, "certificate-authority": "/etc/passwd"}, USER),
        ({**CLUSTER, "proxy-url": "http://a"}, USER),
        (CLUSTER, {"exec": {"command": "sh"}}),
        (CLUSTER, {"auth-provider": {"name": "gcp"}}),
        (CLUSTER, {"tokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token"}),
        (CLUSTER, {"client-certificate": "/etc/passwd"}),
        (CLUSTER, {"client-key": "/etc/passwd"}),
        (CLUSTER, {**USER, "as": "admin"}),
        (CLUSTER, {"username": "jane", "password": "secret"}),
    ],
)
def test_what_would_read_run_or_not_verify_is_refused(cluster, user):
    with pytest.raises(SecretError) as caught:
        parse_kubeconfig("east", kubeconfig(cluster, user))
    assert caught.value.reason == "KubeconfigRefused"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("server", ["https://a/k8s/clusters/c-1/", "https://10.0.0.1:6443", "https://[fd00::1]:6443"])
def test_servers_that_are_taken(server):
    assert parse_kubeconfig("east", kubeconfig({**CLUSTER, "server": server})).server == server.rstrip("/")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b"{",
        b"!!python/object/apply:os.system [id]",
        kubeconfig(**{"current-context": "three"}),
        kubeconfig(users=[]),
        kubeconfig(users=None),
        kubeconfig({"server": "http://a"}),
        kubeconfig({}),
        *(
            kubeconfig({**CLUSTER, "server": server})
            for server in (
                "https://",
                "https://a?b=c",
                "https://a#b",
                "https://a/b?c",
                "https://u:p@a",
                "https://a\nb",
                "https://a b",
                "https://A",
                "https://a..b",
                7,
            )
        ),
        kubeconfig({**CLUSTER, "certificate-authority-data": "%"}),
    ],
)
def test_what_is_no_kubeconfig_is_said_to_be_none(content):
    with pytest.raises(SecretError, match="Secret east"):
        parse_kubeconfig("east", content)


async def test_an_error_of_the_token_reaches_the_caller_as_it_is():
    async def refuse():
        raise SecretError("no")

    with pytest.raises(SecretError, match=r"^no$"):
        await explicit_access(Endpoint(server="https://a"), refuse).authorization()


@pytest.mark.parametrize(
    ("server", "error"),
    [
        ("https://a..b", InvalidSpecError),
        ("https://" + "a" * 64 + ".example.com", InvalidSpecError),
        ("https://[1.2.3.4]", KrautError),
        # What it is differs between releases of Python.
        ("https://[:::::]", KrautError),
    ],
)
async def test_a_server_that_no_host_can_have_is_an_error_of_the_object(server, error):
    """Not one of Python's, which nobody expects: a Cluster with such a server says what is wrong with it."""
    transport = Transport(explicit_access(Endpoint(server=server)), user_agent="kraut-tests/1", timeout_seconds=60)
    await transport.open()
    try:
        with pytest.raises(error):
            await transport.read("/version", max_bytes=1024)
    finally:
        await transport.close()
