import click
import pytest

from kraut_cli.resources import find_kind, select, select_one
from kraut_core.api.kinds import all_kinds


@pytest.mark.parametrize("word", ["hosts", "host", "Host", "kh", "hosts.kraut.dev", "HOSTS"])
def test_the_words_for_a_kind(word):
    assert find_kind(word).name == "Host"


def test_no_two_kinds_share_a_word():
    words = [word for kind in all_kinds() for word in (kind.plural, kind.name.lower(), *kind.short_names)]
    assert len(words) == len(set(words))


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ((), [(kind.name, ()) for kind in all_kinds()]),
        (("hosts",), [("Host", ())]),
        (("hosts,kup",), [("Host", ()), ("UpgradePolicy", ())]),
        (("kh", "web1", "web2"), [("Host", ("web1", "web2"))]),
        (("host/web1", "kup/slow"), [("Host", ("web1",)), ("UpgradePolicy", ("slow",))]),
    ],
)
def test_what_the_arguments_mean(arguments, meant):
    assert [(selection.kind.name, selection.names) for selection in select(arguments)] == meant


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pods",), "expected one of kraut's kinds .*found 'pods'"),
        (("host/",), "expected KIND/NAME"),
        (("host/a/b",), "expected KIND/NAME"),
        (("host/a", "web1"), "expected KIND/NAME"),
        (("hosts", "host/web1"), "write either"),
    ],
)
def test_what_means_nothing_is_a_usage_error(arguments, said):
    with pytest.raises(click.UsageError, match=said):
        select(arguments)


def test_one_object():
    assert select_one("host/web1").names == ("web1",)
    with pytest.raises(click.UsageError):
        select_one("web1")
