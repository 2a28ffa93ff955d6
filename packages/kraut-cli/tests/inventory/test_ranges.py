import pytest

from kraut_cli.inventory.ranges import expand


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("web1", ["web1"]),
        ("web[1:3]", ["web1", "web2", "web3"]),
        ("web[08:10].example.com", ["web08.example.com", "web09.example.com", "web10.example.com"]),
        ("web[1:7:3]", ["web1", "web4", "web7"]),
        ("web[:2]", ["web0", "web1", "web2"]),
        ("db-[a:c]", ["db-a", "db-b", "db-c"]),
        ("r[1:2]u[a:b]", ["r1ua", "r1ub", "r2ua", "r2ub"]),
    ],
)
def test_a_pattern_stands_for_its_names(pattern, names):
    assert expand(pattern) == names


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("web[1:", "expected a range"),
        ("web[1:c]", "numbers or of letters"),
        ("web[3:1]", "begins before it ends"),
        ("web[01:100]", "same length"),
        ("web[1:2:0]", "step of 1 or more"),
        ("web[1:20000]", "at most 10000 hosts"),
    ],
)
def test_what_is_no_range_is_refused_by_name(pattern, said):
    with pytest.raises(ValueError, match=said) as caught:
        expand(pattern)
    assert pattern in str(caught.value)
