import pytest

from kraut_cli.inventory.model import InventoryHost
from kraut_cli.inventory.translate import Defaults, object_name, translate
from kraut_core.api.v1alpha1.host import Host

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBGjWx52A+NYvkn+fyw3nAsW5FXESFVMJsdrYmw5BOS+"
DEFAULTS = Defaults(namespace="fleet", secret="fleet-ssh")


def known(*addresses):
    return lambda address, port: [KEY] if (address, port) in addresses else []


def test_a_host_is_carried_over_with_its_groups_keys_and_jump_host():
    variables = {"ansible_host": "192.0.2.7", "ansible_user": "ops", "ansible_ssh_common_args": "-J jump.example.com"}
    host = InventoryHost("web1", ("prod", "web"), variables)
    (result,) = translate([host], DEFAULTS, known(("192.0.2.7", 22), ("jump.example.com", 22)))
    assert result.left == ()
    found = Host.model_validate(result.host)
    assert found.metadata.namespace == "fleet"
    assert found.metadata.labels == {"group.kraut.dev/prod": "", "group.kraut.dev/web": ""}
    assert (found.spec.address, found.spec.user, found.spec.host_keys) == ("192.0.2.7", "ops", [KEY])
    assert found.spec.credentials_ref.name == "fleet-ssh"
    assert (found.spec.jump_host.address, found.spec.jump_host.user) == ("jump.example.com", "ops")


def test_what_is_not_wished_is_not_sent():
    (result,) = translate([InventoryHost("web1", (), {})], DEFAULTS, known(("web1", 22)))
    assert result.host["spec"] == {"address": "web1", "hostKeys": [KEY], "credentialsRef": {"name": "fleet-ssh"}}


@pytest.mark.parametrize(
    ("host", "said"),
    [
        (InventoryHost("web1", (), {}), "no host key of web1"),
        (InventoryHost("db1", (), {"ansible_ssh_common_args": "-J jump"}), "its jump host jump"),
        (InventoryHost("db1", (), {"ansible_connection": "docker"}), "over ssh only"),
        (InventoryHost("db1", (), {"ansible_host": "-oProxyCommand=x"}), "no host key"),
    ],
)
def test_a_host_that_cannot_be_is_left_out_with_the_reason(host, said):
    (result,) = translate([host], DEFAULTS, known(("db1", 22)))
    assert result.host is None
    assert said in result.left[0]


def test_unknown_keys_are_trusted_on_first_use_only_when_asked_for():
    asked = Defaults(namespace="fleet", secret="fleet-ssh", trust_on_first_use=True)
    (result,) = translate([InventoryHost("web1", (), {})], asked, known())
    assert result.host["spec"]["hostKeyPolicy"] == "TrustOnFirstUse"
    assert "hostKeys" not in result.host["spec"]


def test_two_hosts_never_become_one():
    hosts = [InventoryHost("Web_1", (), {"ansible_host": "a"}), InventoryHost("web-1", (), {"ansible_host": "b"})]
    first, second = translate(hosts, DEFAULTS, known(("a", 22), ("b", 22)))
    assert first.host["metadata"]["name"] == "web-1"
    assert first.left == ("its name: it is called web-1",)
    assert second.host is None
    assert "as that of Web_1" in second.left[0]


@pytest.mark.parametrize(
    ("name", "object_"), [("web1.example.com", "web1.example.com"), ("DB_01", "db-01"), ("-x-", "x"), ("a b", "a-b")]
)
def test_names(name, object_):
    assert object_name(name) == object_
