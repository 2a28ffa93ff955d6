"""Statement 7: no caller from another cluster becomes one of Kubernetes' own, and none becomes another's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraut_core.errors import InvalidSpecError
from kraut_core.identity.errors import USER, TokenRefusedError
from kraut_core.identity.users import FederatedUser, check_names, map_service_account

LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
SUBJECTS = st.builds("system:serviceaccount:{}:{}".format, LABELS, LABELS)
WORKER = "system:serviceaccount:kraut-system:kraut-worker"


def test_a_service_account_of_another_cluster():
    assert map_service_account("east", WORKER) == FederatedUser(f"kraut:east:{WORKER}", ("kraut:east",))


def test_the_same_service_account_in_two_clusters_is_two_users():
    east, west = map_service_account("east", WORKER), map_service_account("west", WORKER)
    assert east.name != west.name
    assert not set(east.groups) & set(west.groups)


@given(LABELS, SUBJECTS, LABELS, SUBJECTS)
def test_no_two_accounts_are_one_user(cluster, subject, other_cluster, other_subject):
    same = map_service_account(cluster, subject) == map_service_account(other_cluster, other_subject)
    assert same == ((cluster, subject) == (other_cluster, other_subject))


@given(LABELS | st.sampled_from(["system", "system-masters"]), SUBJECTS | st.text())
def test_nobody_from_outside_is_one_of_kubernetes_own(cluster, subject):
    try:
        found = map_service_account(cluster, subject)
    except TokenRefusedError:
        return
    assert not any(name.startswith("system:") for name in (found.name, *found.groups))
    assert found.name.isprintable()


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "system:masters",
        "system:admin",
        "system:node:n1",
        "kubernetes-admin",
        "system:serviceaccount:",
        "system:serviceaccount:a",
        "system:serviceaccount:a:",
        "system:serviceaccount:a:b:c",
        f" {WORKER}",
        f"{WORKER}\n",
        f"{WORKER}\x00",
        f"x\n{WORKER}",
        WORKER.upper(),
        "system:serviceaccount:a:" + "b" * 254,
    ],
)
def test_what_is_no_service_account_is_nobody(subject):
    with pytest.raises(TokenRefusedError) as caught:
        map_service_account("east", subject)
    assert caught.value.reason == USER


@pytest.mark.parametrize("cluster", ["", "a:b", "east:system", "East", "a.b", "-a", "a-", "a\n", "é", "a" * 64, "a'"])
def test_a_cluster_is_a_dns_label(cluster):
    with pytest.raises(InvalidSpecError, match="DNS label"):
        map_service_account(cluster, WORKER)


@pytest.mark.parametrize("names", [["system:masters"], ["a", "system:x"], ["system:"], [""], ["kraut:east:a", ""]])
def test_names_of_kubernetes_own_are_refused_wherever_they_come_from(names):
    with pytest.raises(TokenRefusedError) as caught:
        check_names(names)
    assert caught.value.reason == USER
    with pytest.raises(TokenRefusedError):
        FederatedUser("kraut:east:a", tuple(names))


def test_other_names_are_fine():
    check_names(["kraut:east:system:serviceaccount:a:b", "oidc:system:masters", "System:masters"])
