"""The comment that makes a kube-apiserver forget, and which cluster a context leads to."""

from datetime import UTC, datetime

import pytest
import yaml

from kraut_cli.failures import CommandError
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
