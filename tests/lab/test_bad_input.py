"""Bad input on a real host: each has its own reason and a sentence that tells what to do, and harms nobody else."""

import base64
from ipaddress import IPv4Address

import pytest

from kraut_lab.apt import DebPackage

pytestmark = pytest.mark.lab

OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMfIkjzE4sVJJJj0vQ2rPDRPmNjZ5zyBjTqqZTGUBd6c"


def stalled(handle, reason, *words):
    """The host is given up on for this reason, and the sentence holds these words."""
    host = handle.wait_condition("Stalled", "True", reason)
    message = next(c["message"] for c in host["status"]["conditions"] if c["type"] == "Stalled")
    for word in words:
        assert word in message
    ready = next(c for c in host["status"]["conditions"] if c["type"] == "Ready")
    return host, ready


def test_a_malformed_host_is_refused_by_the_api_server_with_a_sentence(desk, machine):
    status, answer = desk.api.request(
        "POST",
        f"/apis/kraut.dev/v1alpha1/namespaces/{desk.namespace}/hosts",
        {
            "apiVersion": "kraut.dev/v1alpha1",
            "kind": "Host",
            "metadata": {"name": "bad"},
            "spec": {"address": machine.address, "credentialsRef": {"name": "ssh"}},
        },
    )
    assert status == 422
    assert "hostKeyPolicy" in answer["message"]
    assert "ssh-keyscan" in answer["message"]


def test_a_missing_secret_is_named_and_its_creation_heals(desk, machine):
    handle = desk.host(machine, credentialsRef={"name": "later"})
    _, ready = stalled(handle, "SecretNotFound", "later", "ssh-privatekey")
    assert ready["status"] == "False"

    desk.secret("later", **{"ssh-privatekey": desk.lab.ssh.private_key.read_bytes()})

    handle.wait_condition("Ready", "True", "Reachable")


def test_a_secret_without_the_right_key_is_refused(desk, machine):
    desk.secret("empty", note=b"nothing of use")
    handle = desk.host(machine, credentialsRef={"name": "empty"})
    stalled(handle, "SecretIncomplete", "ssh-privatekey", "note")


def test_a_malformed_private_key_is_refused(desk, machine):
    desk.secret("garbage", **{"ssh-privatekey": b"-----BEGIN OPENSSH PRIVATE KEY-----\nnonsense\n"})
    handle = desk.host(machine, credentialsRef={"name": "garbage"})
    stalled(handle, "PrivateKeyInvalid")


def test_a_wrong_key_is_refused_and_a_right_one_heals(desk, machine):
    machine.exec("rm -f /root/wrong /root/wrong.pub; ssh-keygen -q -t ed25519 -N '' -f /root/wrong")
    wrong = machine.exec("cat /root/wrong").stdout.encode()
    desk.secret("changing", **{"ssh-privatekey": wrong})
    handle = desk.host(machine, credentialsRef={"name": "changing"})
    stalled(handle, "AuthenticationFailed", machine.user)

    desk.secret("changing", **{"ssh-privatekey": desk.lab.ssh.private_key.read_bytes()})

    handle.wait_condition("Ready", "True", "Reachable")


def test_an_encrypted_key_needs_its_passphrase_and_not_another(desk, machine):
    key = desk.lab.ssh.encrypted_private_key.read_bytes()
    desk.secret("locked", **{"ssh-privatekey": key})
    handle = desk.host(machine, credentialsRef={"name": "locked"})
    stalled(handle, "PassphraseMissing", "passphrase")

    desk.secret("locked", **{"ssh-privatekey": key, "passphrase": b"not this one"})
    stalled(handle, "PassphraseWrong", "passphrase")

    desk.secret("locked", **{"ssh-privatekey": key, "passphrase": desk.lab.ssh.passphrase.encode()})
    handle.wait_condition("Ready", "True", "Reachable")


def test_a_password_opens_a_host_too(desk, machine):
    desk.secret("password", password=desk.lab.ssh.password.encode())
    handle = desk.host(machine, user="kraut-password", credentialsRef={"name": "password"})
    handle.wait_condition("Ready", "True", "Reachable")


def test_an_unknown_user_is_refused(desk, machine):
    handle = desk.host(machine, user="nobody-of-that-name")
    stalled(handle, "AuthenticationFailed", "nobody-of-that-name")


@pytest.mark.fault(row=18, fault="sudo that prompts", invariants=("I12",))
@pytest.mark.parametrize("user", ["kraut-sudo-password", "kraut-no-sudo"])
def test_a_user_who_cannot_become_root_without_a_password_is_told_which_rule_to_add(desk, machine, user):
    # `sudo -n` asks for a password before it looks whether there is a rule at all: the two cannot be told apart.
    handle = desk.host(machine, user=user)
    stalled(handle, "SudoPasswordRequired", "NOPASSWD", user)


@pytest.mark.fault(row=15, fault="host key changed", invariants=("U16",))
def test_another_host_key_gets_no_command(desk, machine):
    seen = machine.exec("journalctl -u ssh -u 'ssh@*' --no-pager -o cat | grep -c 'Accepted' || true").stdout
    handle = desk.host(machine, hostKeys=[OTHER_KEY])
    _, ready = stalled(handle, "HostKeyMismatch", "SHA256:")
    assert ready["status"] == "False"
    after = machine.exec("journalctl -u ssh -u 'ssh@*' --no-pager -o cat | grep -c 'Accepted' || true").stdout
    assert after == seen


def test_a_key_trusted_on_first_use_is_recorded_and_pinned(desk, machine):
    handle = desk.host(machine, hostKeys=None, hostKeyPolicy="TrustOnFirstUse")
    host = handle.wait_condition("Ready", "True", "Reachable")
    assert [" ".join(key.split()[:2]) for key in host["status"]["hostKeys"]] == [machine.host_key]

    machine.exec(
        "cp -p /etc/ssh/ssh_host_ed25519_key /root/kept; cp -p /etc/ssh/ssh_host_ed25519_key.pub /root/kept.pub"
    )
    try:
        machine.exec(
            "rm /etc/ssh/ssh_host_ed25519_key; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key"
        )
        machine.exec("systemctl restart ssh; pkill -f '[s]shd: kraut' || true")
        handle.request()
        stalled(handle, "HostKeyMismatch", "SHA256:")
    finally:
        machine.exec("mv /root/kept /etc/ssh/ssh_host_ed25519_key; mv /root/kept.pub /etc/ssh/ssh_host_ed25519_key.pub")
        machine.exec("systemctl restart ssh")
        machine.wait_answers()
    handle.request()
    handle.wait_condition("Ready", "True", "Reachable")


def test_a_key_is_pinned_on_first_use_also_when_the_login_leads_nowhere(desk, machine):
    handle = desk.host(machine, user="kraut-no-sudo", hostKeys=None, hostKeyPolicy="TrustOnFirstUse")
    host, _ = stalled(handle, "SudoPasswordRequired")
    assert [" ".join(key.split()[:2]) for key in host["status"]["hostKeys"]] == [machine.host_key]


def test_a_closed_port_is_unknown_and_heals_by_itself(desk, machine):
    handle = desk.host(machine, port=2222)
    host = handle.wait_condition("Ready", "Unknown", "ConnectionRefused")
    assert "Stalled" not in {c["type"] for c in host["status"]["conditions"]}

    handle.apply(port=machine.port)

    handle.wait_condition("Ready", "True", "Reachable")


def test_a_silent_host_is_unknown_and_the_others_go_on(desk, machines):
    silent, other = machines[0], machines[1]
    silent.network.partition("drop")
    waiting = desk.host(silent)
    fine = desk.host(other)

    fine.wait_condition("Ready", "True", "Reachable")
    waiting.wait(
        lambda host: any(
            c["type"] == "Ready" and c["status"] == "Unknown" and c["reason"] != "NotObserved"
            for c in (host.get("status") or {}).get("conditions", [])
        ),
        "Ready=Unknown",
    )

    silent.network.heal()
    waiting.wait_condition("Ready", "True", "Reachable")


def test_a_cluster_node_is_observed_and_not_changed(desk, machine, lab):
    give_update(lab, machine, "kraut-t-node")
    machine.exec(
        "printf '[Service]\\nExecStart=/bin/sleep infinity\\n' >/etc/systemd/system/kubelet.service;"
        " systemctl daemon-reload; systemctl start kubelet"
    )
    try:
        handle = desk.host(machine, operatingSystem={"updates": "All"})
        host, ready = stalled(handle, "HostIsClusterNode", "kubelet")
        assert ready["status"] == "True"
        assert host["status"].get("operations", []) == []
        assert machine.maintainer_log() == []
    finally:
        machine.exec("systemctl stop kubelet; rm /etc/systemd/system/kubelet.service; systemctl daemon-reload")


def test_an_operating_system_without_apt_is_reported_and_left_alone(desk, machine):
    machine.exec("cp -p /etc/os-release /root/os-release; mv /usr/bin/apt-get /usr/bin/apt-get.kept")
    machine.exec(
        "rm /etc/os-release; printf 'ID=fedora\\nVERSION_ID=43\\nPRETTY_NAME=\"Fedora Linux 43\"\\n' >/etc/os-release"
    )
    try:
        handle = desk.host(machine, operatingSystem={"updates": "All"})
        _, ready = stalled(handle, "UnsupportedOperatingSystem", "fedora")
        assert ready["status"] == "True"
    finally:
        machine.exec(
            "mv /usr/bin/apt-get.kept /usr/bin/apt-get; rm /etc/os-release; ln -s ../usr/lib/os-release /etc/os-release"
        )


def test_a_repository_that_is_down_is_retried_until_it_is_back(desk, machine, lab):
    give_update(lab, machine, "kraut-t-down")
    handle = desk.host(machine)
    handle.wait_condition("Ready", "True")
    lab.apt_repository.stop()
    try:
        handle.apply(operatingSystem={"updates": "All"})
        host = handle.wait_operation("UpdatePackages", result="Failed")
        assert "repository" in host["status"]["operations"][0]["message"]
        handle.wait_condition("Reconciling", "True", "BackingOff")
    finally:
        lab.apt_repository.start(lab_gateway(lab))
    handle.wait_up_to_date()
    assert [entry.package for entry in machine.maintainer_log()] == ["kraut-t-down"]


def test_a_policy_that_does_not_exist_is_named_and_its_creation_starts_the_work(desk, machine, lab):
    give_update(lab, machine, "kraut-t-policyless")
    handle = desk.host(machine, operatingSystem={"updates": "All"}, upgradePolicyRef={"name": "later"})
    stalled(handle, "UpgradePolicyNotFound", "later")
    assert machine.maintainer_log() == []

    desk.policy("later", rollingUpdate={"maxUnavailable": 1})

    handle.wait_up_to_date()


def test_no_secret_shows_anywhere_in_the_api(desk, machine):
    handle = desk.host(machine, credentialsRef={"name": "gone"})
    stalled(handle, "SecretNotFound")
    key = desk.lab.ssh.private_key.read_text()
    needle = base64.b64encode(key.encode()).decode()[40:80]
    status, hosts = desk.api.request("GET", handle.path)
    assert status == 200
    assert key.splitlines()[2] not in str(hosts)
    assert needle not in str(hosts)
    assert key.splitlines()[2] not in str(desk.events(handle.name))


def give_update(lab, machine, name):
    """Version 1.0 of a package on the machine, 1.1 in the repository."""
    lab.apt_repository.publish(DebPackage(name, "1.0"))
    machine.exec(
        f"apt-get update -qq && apt-get install -yqq {name}=1.0 >/dev/null; : >/var/log/kraut-lab-maintainer.log"
    )
    lab.apt_repository.publish(DebPackage(name, "1.1"))


def lab_gateway(lab):
    return IPv4Address(lab.hosts[0].address.rsplit(".", 1)[0] + ".1")
