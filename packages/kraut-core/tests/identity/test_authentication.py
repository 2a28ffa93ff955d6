"""What is written for a kube-apiserver; tests/identity shows what a real one makes of it."""

import copy

import pytest

from kraut_core.errors import InvalidSpecError
from kraut_core.identity.authentication import (
    V1,
    V1BETA1,
    Issuer,
    build_configuration,
    trust_cluster,
    trust_keycloak,
    trust_provider,
)

EAST = Issuer(url="https://oidc.east.example.com", audience="https://api.west.example.com", ca="PEM")
DEX = Issuer(url="https://dex.example.com", audience="west")
PERSONS = {
    "issuer": {"url": "https://login.example.com", "audiences": ["kubernetes"]},
    "claimMappings": {"username": {"claim": "email", "prefix": "oidc:"}},
}


def test_a_cluster_that_is_trusted_directly():
    entry = trust_cluster(EAST, "east")
    assert entry["issuer"] == {"url": EAST.url, "audiences": [EAST.audience], "certificateAuthority": "PEM"}
    assert entry["claimMappings"] == {
        "username": {"expression": "'kraut:east:' + claims.sub"},
        "groups": {"expression": "['kraut:east']"},
    }
    expressions = [rule["expression"] for rule in entry["claimValidationRules"] + entry["userValidationRules"]]
    assert "claims.exp - claims.iat <= 3600" in expressions
    assert "!user.username.startsWith('system:')" in expressions
    assert "user.groups.all(group, !group.startsWith('system:'))" in expressions


def test_a_provider_of_several_clusters_is_one_entry():
    entry = trust_provider(DEX, ["west", "east", "east"])
    assert "in ['east', 'west']" in entry["claimValidationRules"][2]["expression"]
    assert "certificateAuthority" not in entry["issuer"]
    with pytest.raises(InvalidSpecError, match="name the clusters"):
        trust_provider(DEX, [])


@pytest.mark.parametrize("cluster", ["east'", "a:b", "", "east' + claims.sub + '"])
def test_a_clusters_name_is_no_way_into_an_expression(cluster):
    with pytest.raises(InvalidSpecError):
        trust_cluster(EAST, cluster)
    with pytest.raises(InvalidSpecError):
        trust_provider(DEX, ["west", cluster])


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://oidc.east.example.com"},
        {"url": "https://oidc.east.example.com?a"},
        {"audience": ""},
        {"discovery_url": "http://a.example.com"},
        {"discovery_url": "https://oidc.east.example.com"},
    ],
)
def test_an_issuer_that_kube_apiserver_would_not_start_with(changes):
    with pytest.raises(InvalidSpecError, match="issuer"):
        Issuer(**{"url": EAST.url, "audience": EAST.audience, **changes})


def test_what_others_wrote_stays():
    existing = {
        "apiVersion": V1BETA1,
        "kind": "AuthenticationConfiguration",
        "anonymous": {"enabled": False},
        "jwt": [trust_cluster(EAST, "old"), PERSONS],
    }
    before = copy.deepcopy(existing)
    entries = [trust_provider(DEX, ["east"]), trust_cluster(EAST, "east")]
    found = build_configuration(entries, existing=existing)
    assert existing == before
    assert found["apiVersion"] == V1BETA1
    assert found["anonymous"] == {"enabled": False}
    assert found["jwt"] == [entries[1], PERSONS, entries[0]]
    assert build_configuration(entries, existing=found) == found


def test_a_new_document():
    assert build_configuration([]) == {"apiVersion": V1, "kind": "AuthenticationConfiguration", "jwt": []}
    with pytest.raises(InvalidSpecError, match="twice"):
        build_configuration([trust_cluster(EAST, "a"), trust_cluster(EAST, "b")])


@pytest.mark.parametrize(
    "existing",
    [
        {"kind": "AuthorizationConfiguration", "apiVersion": V1},
        {"kind": "AuthenticationConfiguration", "apiVersion": "v1"},
        {"kind": "AuthenticationConfiguration", "apiVersion": V1, "jwt": "x"},
    ],
)
def test_another_document_is_not_written_over(existing):
    with pytest.raises(InvalidSpecError, match="AuthenticationConfiguration"):
        build_configuration([], existing=existing)


@pytest.mark.parametrize("claim", ["azp.x", "azp'", "", "a b", "ä"])
def test_a_claims_name_is_no_way_into_an_expression(claim):
    with pytest.raises(InvalidSpecError, match="such as azp"):
        trust_keycloak(DEX, ["east"], claim=claim)
