"""Which exchange and which client the options of ``kraut oidc check`` mean."""

import click
import pytest

from kraut_cli.oidc.check import check
from kraut_cli.oidc.provider import read_provider
from kraut_core.identity.exchange import ID_TOKEN
from kraut_core.identity.sources import FileTokenSource

ENDPOINT = "https://sts.example.com/realms/a/token"


def read(*arguments):
    names = {parameter.name for parameter in check.params}
    options = check.make_context("check", [*arguments], resilient_parsing=False).params
    found = read_provider(options)
    assert set(options) < names, "its options are taken out"
    return found


@pytest.fixture
def subject(tmp_path):
    return FileTokenSource(tmp_path / "token")


@pytest.fixture
def file(tmp_path):
    (tmp_path / "file").write_text("x")
    return str(tmp_path / "file")


def test_without_an_endpoint_there_is_none():
    assert read("--grant", "jwt-bearer") is None


def test_dex_needs_its_connector_only(subject, file):
    found = read(
        "--token-endpoint", ENDPOINT, "--client-id", "west", "--connector", "east", "--client-secret-file", file
    )
    exchange, client = found.describe(subject)
    assert (exchange.extra, exchange.requested_token_type) == ({"connector_id": "east"}, ID_TOKEN)
    assert (client.method, found.audience) == ("client_secret_basic", "west")
    assert found.subject_audience == "https://sts.example.com/realms/a"


@pytest.mark.parametrize("method", ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"])
def test_every_way_in_which_a_client_shows_itself(subject, file, method):
    files = ("--client-secret-file", file, "--client-key-file", file, "--client-key-id", "k")
    found = read("--token-endpoint", ENDPOINT, "--client-id", "west", "--client-authentication", method, *files)
    assert found.describe(subject)[1].method == method
    assert (
        read("--token-endpoint", ENDPOINT, "--client-id", "west", "--client-key-file", file).method == "private_key_jwt"
    )


def test_a_service_account_is_a_client_by_its_own_token(subject):
    options = ("--token-endpoint", ENDPOINT, "--exchanged-audience", "west", "--provider-audience", "https://kc")
    found = read(
        *options, "--grant", "client-credentials", "--client-authentication", "service_account", "--scope", "west"
    )
    exchange, client = found.describe(subject)
    assert (exchange.grant, exchange.scope, found.audience) == ("client-credentials", ("west",), "west")
    assert (client.method, client.source, client.audience) == ("service_account", subject, "https://kc")


def test_an_assertion_as_grant(subject):
    found = read("--token-endpoint", ENDPOINT, "--client-id", "west", "--grant", "jwt-bearer", "--no-send-audience")
    exchange, client = found.describe(subject)
    assert (exchange.grant, exchange.send_audience, client.method) == ("jwt-bearer", False, "none")


def test_whom_its_token_is_for_must_be_known():
    with pytest.raises(click.UsageError, match="--client-id"):
        read("--token-endpoint", ENDPOINT)
