"""What of a lab with sites can be said without starting one."""

import subprocess
from pathlib import Path

import pytest

from kraut_lab.errors import LabError
from kraut_lab.hostnames import HostNames
from kraut_lab.lab import check_providers
from kraut_lab.names import check_sites
from kraut_lab.processes import MARKER, find_marked, kill_all, spawn
from kraut_lab.record import LabRecord, read_record, write_record
from kraut_lab.sites.kubeconfig import join
from kraut_lab.sites.trust import authentication_configuration, direct, through_dex, through_keycloak


def test_names_resolve_inside_and_the_machine_keeps_its_own_file(tmp_path):
    before = Path("/etc/hosts").read_text()
    names = HostNames(tmp_path, ["oidc.east", "dex"])
    names.write()
    argv = names.wrap(["/usr/bin/getent", "hosts", "oidc.east.lab.test"])
    inside = subprocess.run(argv, capture_output=True, text=True, check=True, env={})
    assert inside.stdout.split() == ["127.0.0.1", "oidc.east.lab.test"]
    assert subprocess.run(argv[-3:], capture_output=True, check=False, env={}).returncode != 0
    assert Path("/etc/hosts").read_text() == before


def test_processes_of_a_site_belong_to_the_lab(tmp_path):
    site = tmp_path / "sites" / "west"
    site.mkdir(parents=True)
    process = spawn(["/bin/sleep", "600"], folder=site, cwd=site, env={}, log=tmp_path / "log")
    try:
        assert process in find_marked(tmp_path)
        assert process in find_marked(site)
        assert process not in find_marked(tmp_path / "sites" / "we")
        assert process not in find_marked(tmp_path.with_name(tmp_path.name[:-1])), MARKER
    finally:
        kill_all([process])


@pytest.mark.parametrize("names", [["East"], ["east", "east"], [""], ["a.b"]])
def test_a_site_is_a_dns_label_of_its_own(names):
    with pytest.raises(LabError):
        check_sites(names)


def test_sites_are_chosen_once_and_providers_can_come_later(tmp_path):
    asked = LabRecord(sites=("east", "west"))
    write_record(tmp_path, asked)
    found = read_record(tmp_path)
    assert found == asked
    assert found.including(LabRecord(dex=True)) == LabRecord(sites=("east", "west"), dex=True)
    assert found.including(LabRecord(sites=("east", "west"))) == asked
    with pytest.raises(LabError, match="run `kraut lab down` first"):
        found.including(LabRecord(sites=("north",)))
    with pytest.raises(LabError, match="--sites east,west"):
        check_providers(LabRecord(dex=True))


def test_contexts_are_named_as_sites():
    def one(server):
        return {"clusters": [{"name": "lab", "cluster": {"server": server}}], "users": [{"name": "x", "user": {}}]}

    joined = join({"east": one("https://e"), "west": one("https://w")})
    assert [entry["name"] for entry in joined["contexts"]] == ["east", "west"]
    assert joined["clusters"][1] == {"name": "west", "cluster": {"server": "https://w"}}
    assert joined["current-context"] == "east"


def test_nobody_becomes_somebody_of_the_system():
    document = authentication_configuration(
        [
            direct("east", issuer="https://e", audience="https://api.west", ca="PEM"),
            through_dex(["east"], issuer="https://d", audience="west", ca="PEM"),
            through_keycloak(["east"], issuer="https://k", audience="west", ca="PEM"),
        ]
    )
    assert document["kind"] == "AuthenticationConfiguration"
    for entry in document["jwt"]:
        assert len(entry["issuer"]["audiences"]) == 1
        assert len([rule for rule in entry["userValidationRules"] if "'system:'" in rule["expression"]]) == 2
        assert entry["claimMappings"]["username"]["expression"].startswith("'kraut:")
