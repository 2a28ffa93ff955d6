import base64
import os
import stat

import pytest
import yaml

from kraut_cli.clusters.files import read_yaml, server_in, write_when_changed
from kraut_cli.clusters.manifests import Wish, cluster_manifest, home_manifests, left_over, path_of, target_manifests
from kraut_core.errors import InvalidSpecError

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def wish(**changes):
    values = {
        "name": "west",
        "namespace": "fleet",
        "home": "east",
        "account": "kraut",
        "server": "https://west.example.com:6443",
        "ca": PEM,
        "audience": "https://api.west.example.com",
    }
    return Wish(**{**values, **changes})


def test_the_worker_may_ask_for_tokens_of_the_one_account_and_no_other():
    account, role, binding, _ = home_manifests(wish())
    assert account["metadata"] == {"name": "kraut", "namespace": "fleet"}
    assert role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["serviceaccounts/token"],
            "resourceNames": ["kraut"],
            "verbs": ["create"],
        }
    ]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "kraut-worker", "namespace": "kraut-system"}]


def test_the_cluster_is_direct_unless_there_is_a_provider():
    way = cluster_manifest(wish(issuer="https://oidc.west.example.com"))
    assert base64.b64decode(way["spec"]["access"]["direct"]["caBundle"]).decode() == PEM
    assert way["spec"]["issuer"] == "https://oidc.west.example.com"
    provider = {"tokenEndpoint": "https://dex.example.com/token", "subjectAudience": "https://dex.example.com"}
    assert cluster_manifest(wish(provider=provider))["spec"]["access"]["exchange"]["provider"] == provider


@pytest.mark.parametrize(
    "changes", [{"server": "http://a"}, {"ca": "text"}, {"audience": ""}, {"account": "A"}, {"provider": {"x": 1}}]
)
def test_what_cannot_be_a_cluster_is_refused_first(changes):
    with pytest.raises(InvalidSpecError, match="Cluster 'west' cannot be"):
        cluster_manifest(wish(**changes))


def test_the_other_side_binds_one_user():
    found = target_manifests(wish(cluster_roles=("view",)))
    users = {subject["name"] for binding in found for subject in binding["subjects"]}
    assert users == {"kraut:east:system:serviceaccount:fleet:kraut"}
    assert [binding["roleRef"]["name"] for binding in found] == ["system:service-account-issuer-discovery", "view"]
    with pytest.raises(InvalidSpecError):
        target_manifests(wish(home="not a label"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"home": "east", "namespace": "1-default"}, {"home": "east-1", "namespace": "default"}),
        ({"cluster_roles": ("a:b",)}, {"cluster_roles": ("a-b",)}),
        ({"account": "a" * 200}, {"account": "a" * 199 + "b"}),
    ],
)
def test_no_two_users_or_roles_share_a_binding(one, other):
    names = [
        {
            binding["metadata"]["name"]
            for binding in target_manifests(wish(**changes))[len(changes.get("cluster_roles", ())) :]
        }
        for changes in (one, other)
    ]
    assert names[0] & names[1] == set()
    assert all(len(name) <= 253 for name in names[0] | names[1])


def test_where_everything_lives():
    assert [path_of(manifest) for manifest in (*home_manifests(wish()), *target_manifests(wish()))] == [
        "/api/v1/namespaces/fleet/serviceaccounts/kraut",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/fleet/roles/kraut-token-kraut",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/fleet/rolebindings/kraut-token-kraut",
        "/apis/kraut.dev/v1alpha1/namespaces/fleet/clusters/west",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/kraut-east-fleet-kraut-system-service-account-issuer-discovery-993c848f",
    ]


def kubeconfig(folder, **cluster):
    document = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "c"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://a/", **cluster}}],
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(document))
    return file


def test_server_and_authorities_of_a_kubeconfig(tmp_path):
    (tmp_path / "ca.pem").write_text(PEM)
    assert server_in(kubeconfig(tmp_path, **{"certificate-authority": "ca.pem"}), None) == ("https://a", PEM)
    inline = base64.b64encode(PEM.encode()).decode()
    assert server_in(kubeconfig(tmp_path, **{"certificate-authority-data": inline}), "x") == ("https://a", PEM)
    assert server_in(kubeconfig(tmp_path), None) == ("https://a", "")
    for wrong in ({"certificate-authority-data": "%"},):
        with pytest.raises(InvalidSpecError):
            server_in(kubeconfig(tmp_path, **wrong), None)
    with pytest.raises(InvalidSpecError, match="target-context"):
        server_in(kubeconfig(tmp_path), "y")


def test_a_file_that_says_the_same_is_left_alone(tmp_path):
    file = tmp_path / "authentication.yaml"
    assert write_when_changed(file, {"a": 1})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o640)
    os.utime(file, (1, 1))
    assert not write_when_changed(file, {"a": 1})
    assert file.stat().st_mtime == 1
    assert write_when_changed(file, {"a": 2})
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert read_yaml(file, "x") == {"a": 2}
    assert [entry.name for entry in tmp_path.iterdir()] == ["authentication.yaml"]


def test_what_an_earlier_connection_left_there_is_said():
    """Fewer roles, or another name of the home cluster: the other side goes on granting what it granted."""
    before = target_manifests(wish(cluster_roles=("view", "edit")))
    assert left_over(wish(cluster_roles=("view", "edit")), before) == []
    [said] = left_over(wish(cluster_roles=("view",)), before)
    assert before[2]["metadata"]["name"] in said
    assert "ClusterRole edit" in said
    assert "delete" in said

    renamed = left_over(wish(home="orient"), before)
    assert len(renamed) == 3
    assert all("kraut:east:system:serviceaccount:fleet:kraut" in said for said in renamed)
    assert all("if this cluster was called east" in said for said in renamed)


def test_what_others_granted_is_not_said():
    others = [
        *target_manifests(wish(namespace="other", cluster_roles=("view",))),
        *target_manifests(wish(account="other", cluster_roles=("view",))),
    ]
    by_hand = [{**binding, "metadata": {"name": "mine"}} for binding in target_manifests(wish(cluster_roles=("edit",)))]
    odd = [{}, {"metadata": {"name": "kraut-x"}}, {"metadata": {"name": "kraut-x"}, "subjects": [{"kind": "User"}]}]
    assert left_over(wish(), [*others, *by_hand, *odd]) == []
