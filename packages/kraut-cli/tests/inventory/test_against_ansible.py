"""The same inventories, read by Ansible itself.

``recorded/*.listing.json`` is what ``ansible-inventory -i FILE --list`` of ansible-core 2.19 printed for the file beside it.
"""

import json
from pathlib import Path

import pytest

from kraut_cli.inventory.files import parse, read_inventory

RECORDED = Path(__file__).parent / "recorded"
FILES = sorted(path.name.removesuffix(".listing.json") for path in RECORDED.glob("*.listing.json"))


def groups_of_hosts(listing):
    """Every host with all groups it is in, parents included."""

    def members(group):
        body = listing.get(group, {})
        return set(body.get("hosts", [])).union(*(members(child) for child in body.get("children", [])))

    named = {name for name in listing if name not in {"_meta", "all", "ungrouped"}}
    hosts = members("all")
    return {host: tuple(sorted(group for group in named if host in members(group))) for host in hosts}


@pytest.mark.parametrize("name", FILES)
def test_hosts_and_groups_are_those_ansible_sees(name):
    listing = json.loads((RECORDED / f"{name}.listing.json").read_text())
    found = {host.name: host.groups for host in read_inventory(RECORDED / name).hosts()}
    assert found == groups_of_hosts(listing)


@pytest.mark.parametrize("name", FILES)
def test_variables_are_those_ansible_sees(name):
    listing = json.loads((RECORDED / f"{name}.listing.json").read_text())
    found = {host.name: dict(host.variables) for host in read_inventory(RECORDED / name).hosts() if host.variables}
    expected = {
        host: {key: value for key, value in variables.items() if key != "ansible_group_priority"}
        for host, variables in listing["_meta"]["hostvars"].items()
    }
    assert found == {host: variables for host, variables in expected.items() if variables}


@pytest.mark.parametrize("name", FILES)
def test_the_listing_itself_can_be_read_instead(name):
    text = (RECORDED / f"{name}.listing.json").read_text()
    found = {host.name: host.groups for host in parse(text).hosts()}
    assert found == groups_of_hosts(json.loads(text))
