"""What already stands in a kube-apiserver's file against what is to be written into it."""

from dataclasses import replace

import pytest

from kraut_core.errors import InvalidSpecError
from kraut_core.identity.authentication import (
    Issuer,
    build_configuration,
    trust_cluster,
    trust_keycloak,
    trust_provider,
)
from kraut_core.identity.joining import join_entry

EAST = Issuer(url="https://oidc.east.example.com", audience="https://api.west.example.com", ca="PEM")
DEX = Issuer(url="https://dex.example.com", audience="west")
KEYCLOAK = Issuer(url="https://keycloak.example.com/realms/kraut", audience="west")
PERSONS = {"issuer": {"url": "https://login.example.com", "audiences": ["k"]}, "claimMappings": {"username": {}}}


@pytest.mark.parametrize(
    "entry",
    [trust_cluster(EAST, "east"), trust_provider(DEX, ["east"]), trust_keycloak(KEYCLOAK, ["east"])],
    ids=["direct", "dex", "keycloak"],
)
def test_a_new_entry_and_the_same_again_stand_as_they_are(entry):
    for document in (None, {}, {"jwt": None}, build_configuration([PERSONS]), build_configuration([PERSONS, entry])):
        assert join_entry(document, entry) == entry


@pytest.mark.parametrize("trust", [trust_provider, trust_keycloak])
def test_a_second_cluster_of_a_provider_joins_the_first(trust):
    document = build_configuration([PERSONS, trust(DEX, ["north"])])
    joined = join_entry(document, trust(DEX, ["east"]))
    assert joined == trust(DEX, ["east", "north"])
    again = build_configuration([joined], existing=document)
    assert join_entry(again, trust(DEX, ["north"])) == joined


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            trust_cluster(EAST, "east"),
            trust_cluster(EAST, "eats"),
            r"claimMappings.username.expression is \"'kraut:east:' \+ claims.sub\" and would be \"'kraut:eats:' \+ claims.sub\"",
        ),
        (
            trust_cluster(EAST, "east"),
            trust_cluster(replace(EAST, audience="other"), "east"),
            r"issuer.audiences is \['https://api.west.example.com'\] and would be \['other'\]",
        ),
        (
            trust_cluster(EAST, "east"),
            trust_cluster(replace(EAST, ca="another PEM"), "east"),
            "issuer.certificateAuthority differs",
        ),
        (trust_provider(DEX, ["north"]), trust_provider(replace(DEX, ca="PEM"), ["east"]), "certificateAuthority"),
        (trust_provider(DEX, ["north"]), trust_keycloak(DEX, ["east"]), "claimMappings.username.expression"),
        (trust_provider(DEX, ["north"]), trust_cluster(DEX, "east"), "claimMappings.username.expression"),
    ],
)
def test_an_entry_that_says_something_else_is_replaced_only_when_wanted(old, new, said):
    document = build_configuration([old])
    with pytest.raises(InvalidSpecError, match=said) as caught:
        join_entry(document, new)
    assert "--replace" in str(caught.value)
    assert "PEM" not in str(caught.value)
    replaced = join_entry(document, new, replace=True)
    assert replaced["claimMappings"] == new["claimMappings"]
    assert replaced["issuer"] == new["issuer"]


def test_an_audience_added_by_hand_is_not_lost():
    entry = trust_cluster(EAST, "east")
    by_hand = entry | {"issuer": entry["issuer"] | {"audiences": [EAST.audience, "mine"]}}
    with pytest.raises(InvalidSpecError, match=r"issuer\.audiences"):
        join_entry(build_configuration([by_hand]), entry)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (trust_cluster(EAST, "east"), trust_cluster(replace(EAST, url="https://oidc.example.com"), "east")),
        (
            trust_provider(DEX, ["east", "north"]),
            trust_provider(replace(DEX, url="https://dex2.example.com"), ["east"]),
        ),
    ],
    ids=["direct", "exchange"],
)
def test_two_issuers_give_no_users_of_one_name(old, new):
    """Statement 7: the same service account in two clusters maps to two users."""
    document = build_configuration([old])
    with pytest.raises(InvalidSpecError, match="--home-name"):
        join_entry(document, new)
    assert join_entry(document, new, second_issuer=True) == new


def test_one_cluster_may_be_trusted_directly_and_by_exchange_and_two_providers_for_different_clusters():
    document = build_configuration([trust_cluster(EAST, "east"), trust_provider(DEX, ["north"])])
    other = trust_provider(replace(DEX, url="https://dex2.example.com"), ["east"])
    assert join_entry(document, other) == other
