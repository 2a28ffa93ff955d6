import base64

import pytest

from kraut_cli.hosts.manifests import Jump, Wish, host_manifest, keep_owned, secret_manifest
from kraut_core.errors import InvalidSpecError

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBGjWx52A+NYvkn+fyw3nAsW5FXESFVMJsdrYmw5BOS+"


def wish(**changes):
    return Wish(
        **{
            "name": "web1",
            "namespace": "fleet",
            "address": "192.0.2.10",
            "secret": "web1-ssh",
            "host_keys": [KEY],
            **changes,
        }
    )


def test_only_what_was_wished_is_applied():
    assert host_manifest(wish()) == {
        "apiVersion": "kraut.dev/v1alpha1",
        "kind": "Host",
        "metadata": {"name": "web1", "namespace": "fleet"},
        "spec": {"address": "192.0.2.10", "hostKeys": [KEY], "credentialsRef": {"name": "web1-ssh"}},
    }


def test_everything_that_can_be_wished():
    jump = Jump("192.0.2.1", 22, "kraut", [KEY], "web1-ssh")
    spec = host_manifest(
        wish(port=2222, user="root", site="east", updates="Security", upgrade_policy="slow", jump=jump)
    )["spec"]
    assert spec["operatingSystem"] == {"updates": "Security"}
    assert spec["upgradePolicyRef"] == {"name": "slow"}
    assert spec["jumpHost"]["hostKeys"] == [KEY]
    assert (spec["port"], spec["user"], spec["site"]) == (2222, "root", "east")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"address": "not an address"}, "spec.address"),
        ({"user": "Root!"}, "spec.user"),
        ({"site": "East"}, "spec.site"),
        ({"upgrade_policy": "No_Such"}, "spec.upgradePolicyRef.name"),
    ],
)
def test_what_cannot_be_a_host_is_refused_by_field(changes, said):
    with pytest.raises(InvalidSpecError, match=said):
        host_manifest(wish(**changes))


def test_a_secret_is_one_that_kubernetes_knows():
    secret = secret_manifest("web1-ssh", "fleet", b"key")
    assert secret["type"] == "kubernetes.io/ssh-auth"
    assert base64.b64decode(secret["data"]["ssh-privatekey"]) == b"key"


def test_silence_does_not_take_back_what_was_applied_before():
    managed = [
        {
            "manager": "kraut-cli",
            "operation": "Apply",
            "fieldsV1": {"f:spec": {"f:address": {}, "f:operatingSystem": {"f:updates": {}}}},
        },
        {"manager": "flux", "operation": "Apply", "fieldsV1": {"f:spec": {"f:site": {}}}},
        {"manager": "kraut-cli", "operation": "Update", "fieldsV1": {"f:spec": {"f:paused": {}}}},
    ]
    existing = {
        "metadata": {"managedFields": managed},
        "spec": {"address": "192.0.2.9", "operatingSystem": {"updates": "All"}, "site": "east", "paused": True},
    }
    spec = keep_owned(host_manifest(wish()), existing, "kraut-cli")["spec"]
    assert spec["operatingSystem"] == {"updates": "All"}
    assert spec["address"] == "192.0.2.10"
    assert "site" not in spec
    assert "paused" not in spec
