"""Statement 8: a kept token is found by the subject's token, the audience and the target, and by nothing less."""

from pathlib import Path

import pytest

from kraut_cli.credential.cache import MAX_CLIENTS, TokenFiles
from kraut_cli.credential.wanted import Wanted
from kraut_core.identity.sources import Token

TOKEN = Token("e30.e30.e30", 2_000.0)
OTHER = Token("e31.e31.e31", 2_000.0)


def exchanging(file, **changes):
    options = {"audience": "west", "token_endpoint": "https://dex.example.com/token", "subject_audience": "dex"}
    return Wanted(token_file=file, **(options | changes))


@pytest.fixture
def file(tmp_path):
    found = tmp_path / "token"
    found.write_text("of worker")
    return found


@pytest.fixture
def files(tmp_path):
    return TokenFiles(tmp_path / "cache")


def test_a_kept_token_is_found_by_what_was_asked_for(files, file, tmp_path):
    one, other = exchanging(file), exchanging(file, audience="east")
    files.write(one.key(), TOKEN)
    assert files.read(one.key(), 100.0) == TOKEN
    assert files.read(one.key(), 1_990.0) is None, "about to expire"
    assert files.read(other.key(), 100.0) is None
    assert files.read(exchanging(file, token_endpoint="https://a.example.com/token").key(), 100.0) is None
    assert [TOKEN.value in kept.name for kept in (tmp_path / "cache").iterdir()] == [False]


def test_another_accounts_token_in_the_same_file_is_another_subject(file):
    before = exchanging(file).key()
    file.write_text("of somebody else")
    assert exchanging(file).key() != before
    file.write_text("of worker")
    assert exchanging(file).key() == before


def test_a_projected_token_is_not_kept_a_second_time(file, tmp_path):
    assert Wanted(audience="west", token_file=file).key() is None
    assert exchanging(tmp_path / "absent").key() is None


def test_another_cluster_or_context_in_the_same_kubeconfig_is_another_subject(tmp_path, monkeypatch):
    kubeconfig = tmp_path / "kubeconfig"

    def key(**changes):
        options = {"audience": "west", "service_account": ("a", "b"), "kubeconfig": kubeconfig}
        return Wanted(**(options | changes)).key()

    kubeconfig.write_text("current-context: east")
    before = key()
    assert key(context="north") != before
    kubeconfig.write_text("current-context: north")
    assert key() != before


def test_a_relative_path_means_another_file_in_another_folder(tmp_path, monkeypatch):
    keys = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        (folder / "kubeconfig").write_text("user: {tokenFile: token}")
        monkeypatch.chdir(folder)
        keys.append(Wanted(audience="west", service_account=("a", "b"), kubeconfig=Path("kubeconfig")).key())
    assert None not in keys
    assert len(set(keys)) == 2
    absolute = Wanted(audience="west", service_account=("a", "b"), kubeconfig=tmp_path / "two" / "kubeconfig")
    assert absolute.key() == keys[1]


def test_a_client_that_asks_again_before_the_end_was_refused_and_gets_another(tmp_path):
    """client-go runs the plugin again after a 401, and keeps what it got until it ends otherwise."""
    kubectl, another = (TokenFiles(tmp_path / "cache", client) for client in (7, 8))
    kubectl.write("key", TOKEN)
    assert kubectl.read("key", 100.0) is None
    assert another.read("key", 100.0) == TOKEN, "of another client nothing is known"
    assert another.read("key", 100.0) is None
    another.write("key", OTHER)
    assert kubectl.read("key", 100.0) == OTHER
    [kept] = (tmp_path / "cache").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_script_may_ask_as_often_as_it_likes_and_clients_are_not_remembered_for_ever(tmp_path, files):
    files.write("key", TOKEN)
    assert files.read("key", 100.0) == files.read("key", 100.0) == TOKEN
    for client in range(10 * MAX_CLIENTS):
        assert TokenFiles(tmp_path / "cache", client).read("key", 100.0) == TOKEN
    assert (tmp_path / "cache" / "key").stat().st_size < 1000


def test_a_file_that_others_may_read_is_not_used(tmp_path, files):
    files.write("key", TOKEN)
    (tmp_path / "cache" / "key").chmod(0o644)
    assert files.read("key", 100.0) is None
    assert [kept.name for kept in (tmp_path / "cache").iterdir()] == ["key"]
