import pytest

from kraut_cli.inventory.limit import limit_hosts
from kraut_cli.inventory.model import InventoryError, InventoryHost

HOSTS = [
    InventoryHost("web1", ("web", "prod"), {}),
    InventoryHost("web2", ("web",), {}),
    InventoryHost("db1", ("db", "prod"), {}),
]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("all", "web1 web2 db1"),
        ("*", "web1 web2 db1"),
        ("web", "web1 web2"),
        ("web2,db1", "web2 db1"),
        ("web:db", "web1 web2 db1"),
        ("web,!web2", "web1"),
        ("web:&prod", "web1"),
        ("!web", "db1"),
        ("w*", "web1 web2"),
    ],
)
def test_a_pattern_means_what_it_means_to_ansible(pattern, names):
    assert [host.name for host in limit_hosts(HOSTS, pattern)] == names.split()


def test_a_pattern_without_a_host_is_an_error():
    with pytest.raises(InventoryError, match="found none for 'app'"):
        limit_hosts(HOSTS, "app")
