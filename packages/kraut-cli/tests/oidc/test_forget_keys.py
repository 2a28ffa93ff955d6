"""The comment that makes a kube-apiserver forget, and which cluster a context leads to."""

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from kraut_cli.failures import CommandError, NotReadyError
from kraut_cli.oidc import forget_keys
from kraut_cli.oidc.forget_keys import MARK, config_hash, mark
from kraut_cli.oidc.target import find_cluster

DOCUMENT = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt: []\n"


@pytest.mark.parametrize(
    "text", [DOCUMENT, '{"kind": "AuthenticationConfiguration", "jwt": []}', f"# mine\n{DOCUMENT}"]
)
def test_only_a_comment_changes_and_there_is_one_of_it(text):
    first = mark(text, datetime(2026, 1, 1, tzinfo=UTC))
    second = mark(first, datetime(2026, 1, 2, tzinfo=UTC))
    assert len({text, first, second}) == 3
    assert second.count(MARK) == 1
    assert second.endswith(text)
    assert yaml.safe_load(second) == yaml.safe_load(text)
    assert config_hash(first) != config_hash(second)


def test_another_document_is_left_alone():
    with pytest.raises(CommandError, match="AuthenticationConfiguration"):
        mark("kind: Pod\n", datetime.now(UTC))


class Server:
    """An API server that has taken a file when it is asked for the second time, or never."""

    def __init__(self, taken):
        self.server, self.transport, self.asked, self._taken = "https://w:6443", self, 0, taken

    async def request(self, method, path, *, accept):
        self.asked += 1
        found = config_hash(self._taken if self.asked > 1 else "another file")
        return (
            f'apiserver_authentication_config_controller_last_config_info{{apiserver_id_hash="x",hash="{found}"}} 1\n'
        ).encode()

    @asynccontextmanager
    async def connect(self):
        yield self


async def test_who_was_stopped_longer_than_the_limit_looks_before_it_gives_up(monkeypatch):
    monkeypatch.setattr(forget_keys, "_INTERVAL_SECONDS", 0.1)
    server = Server(DOCUMENT)
    asyncio.get_running_loop().call_later(0.05, time.sleep, 2)
    await forget_keys._wait(server, DOCUMENT, timedelta(seconds=1))
    assert server.asked == 2


async def test_a_file_that_is_not_taken_is_said_so(monkeypatch):
    monkeypatch.setattr(forget_keys, "_INTERVAL_SECONDS", 0.01)
    with pytest.raises(NotReadyError, match="still has another one"):
        await forget_keys._wait(Server("yet another file"), DOCUMENT, timedelta(seconds=0.1))


def test_a_context_leads_to_a_cluster_in_any_of_the_files():
    one = {"contexts": [{"name": "west", "context": {"cluster": "w", "user": "admin"}}]}
    two = {
        "clusters": [{"name": "w", "cluster": {"server": "https://w:6443"}}],
        "users": [{"name": "admin", "user": {}}],
    }
    assert find_cluster([one, two], "west") == {"server": "https://w:6443"}
    for documents, context in (([one, two], "east"), ([one], "west")):
        with pytest.raises(CommandError):
            find_cluster(documents, context)
