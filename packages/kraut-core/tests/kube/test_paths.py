"""Names never reach another API path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraut_core.api.kinds import all_kinds, kind_named
from kraut_core.errors import InvalidSpecError
from kraut_core.kube import paths


def test_paths_of_objects_and_collections() -> None:
    host = kind_named("Host")
    assert paths.collection(host, None) == "/apis/kraut.dev/v1alpha1/hosts"
    assert paths.item(host, "east", "a.b") == "/apis/kraut.dev/v1alpha1/namespaces/east/hosts/a.b"
    assert paths.core("secrets", "east", "s") == "/api/v1/namespaces/east/secrets/s"
    assert paths.watched("Secret", None) == "/api/v1/secrets"
    assert paths.watched("Secret", "east") == "/api/v1/namespaces/east/secrets"
    assert paths.watched("Host", "east") == "/apis/kraut.dev/v1alpha1/namespaces/east/hosts"


def test_every_kind_that_is_referred_to_has_a_path() -> None:
    for kind in all_kinds():
        for reference in kind.references:
            assert paths.watched(reference.kind, "n").startswith("/api")


@pytest.mark.parametrize(
    "name", ["", "..", "a..b", "a/b", "a%2fb", "a;b", "a?b", "a#b", "A", "a\n", "a\0", "a" * 254, "-a"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidSpecError, match="expected a name"):
        paths.segment(name)


@given(st.text())
def test_what_passes_is_one_segment(name: str) -> None:
    try:
        passed = paths.segment(name)
    except InvalidSpecError:
        return
    assert passed == name
    assert not set(name) - set("abcdefghijklmnopqrstuvwxyz0123456789-.")
