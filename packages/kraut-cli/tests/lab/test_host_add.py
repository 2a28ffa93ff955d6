"""`kraut host add` against real hosts: their sshd, their sudo, their users."""

import base64
import json
import os
import pty
import select
import subprocess
import sys
import time

import pytest
import yaml

from kraut_cli.hosts.host_keys import fingerprint
from kraut_cli.hosts.key_pair import generate_key_pair, read_key_pair

pytestmark = pytest.mark.lab

FORGET_KRAUT = r"""
# A session of a worker that was just stopped may still end.
userdel --force --remove kraut 2>/dev/null
rm -f /etc/sudoers.d/kraut
sed -i '/^kraut /d' /etc/sudoers.d/kraut-lab
sed -i '/kraut\.dev:/d' /root/.ssh/authorized_keys
true
"""


@pytest.fixture
def host(lab, borrow):
    """A host that has never heard of kraut."""
    found = borrow(lab.hosts[0])
    found.exec(FORGET_KRAUT)
    return found


@pytest.fixture
def jump(lab, borrow):
    """Another such host."""
    found = borrow(lab.hosts[1])
    found.exec(FORGET_KRAUT)
    return found


@pytest.fixture
def person(lab, kraut, tmp_path):
    """``person("web1", host, ...)``: `kraut host add` by somebody whose ssh configuration has the lab's key."""
    known_hosts, config = tmp_path / "known_hosts", tmp_path / "ssh_config"
    config.write_text(f"IdentityFile {lab.ssh.private_key}\nIdentitiesOnly yes\nUserKnownHostsFile {known_hosts}\n")

    def add(name, host, *words, user="root", **options):
        return kraut(
            "host", "add", name, "--address", host.address, "--user", user, "-F", str(config), *words, **options
        )

    add.known_hosts, add.config, add.kraut = known_hosts, config, kraut
    return add


def trust(host):
    return ["--trust-host-key", fingerprint(host.host_key)]


def private_key(kraut, secret, folder):
    """The key that a Secret holds, as a file."""
    data = json.loads(kraut.kubectl("get", "secret", secret, "-o", "json").stdout)["data"]
    file = folder / secret
    file.touch(mode=0o600)
    file.write_bytes(base64.b64decode(data["ssh-privatekey"]))
    return file


def ssh(key, host, command, *words, user="kraut", stdin=""):
    strict = [
        "-F",
        "/dev/null",
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        "LogLevel=ERROR",
    ]
    argv = [
        "ssh",
        *strict,
        "-o",
        "BatchMode=yes",
        "-o",
        "IdentitiesOnly=yes",
        "-i",
        str(key),
        *words,
        f"{user}@{host.address}",
        command,
    ]
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=300)


def test_a_host_is_put_under_management(person, host, tmp_path):
    result = person("web1", host, *trust(host), check=0)
    assert result.stdout == "host.kraut.dev/web1 applied\n"
    assert (
        "made the user kraut; put the public key in place; put the sudo rule in place; 1 host keys pinned"
        in result.stderr
    )
    found = json.loads(person.kraut("get", "host/web1", "-o", "json").stdout)
    assert found["spec"]["hostKeys"] == [host.host_key]
    assert (found["spec"]["user"], found["spec"]["credentialsRef"]) == ("kraut", {"name": "web1-ssh"})
    key = private_key(person.kraut, "web1-ssh", tmp_path)
    # As the worker becomes root.
    assert ssh(key, host, "sudo -n -- /bin/sh -s", stdin="id -u").stdout == "0\n"


def test_the_key_and_the_rule_give_no_more_than_they_must(person, host, tmp_path):
    person("web1", host, *trust(host), check=0)
    key = private_key(person.kraut, "web1-ssh", tmp_path)
    assert "password is required" in ssh(key, host, "sudo -n id").stderr
    assert "password is required" in ssh(key, host, "sudo -n /bin/sh -c id").stderr
    assert ssh(key, host, "true", "-W", "127.0.0.1:22").returncode != 0
    assert ssh(key, host, "tty", "-tt").returncode != 0
    assert host.exec("stat -c '%a %U' /etc/sudoers.d/kraut ~kraut/.ssh/authorized_keys").stdout.split() == [
        "440",
        "root",
        "600",
        "kraut",
    ]
    assert host.exec("getent shadow kraut").stdout.split(":")[1] == "*"


def test_the_persons_key_enters_no_secret(person, host, lab):
    person("web1", host, *trust(host), check=0)
    secrets = person.kraut.kubectl("get", "secrets", "-o", "yaml").stdout
    assert base64.b64encode(lab.ssh.private_key.read_bytes()).decode() not in secrets


def test_adding_again_changes_nothing(person, host):
    person("web1", host, *trust(host), "--site", "east", check=0)
    objects = ("get", "host.kraut.dev/web1", "secret/web1-ssh", "-o", "jsonpath={.items[*].metadata.resourceVersion}")
    before = person.kraut.kubectl(*objects).stdout
    again = person("web1", host, *trust(host), check=0)
    assert "everything was in place" in again.stderr
    assert person.kraut.kubectl(*objects).stdout == before
    person("web1", host, *trust(host), "--rotate-key", check=0)
    assert person.kraut.kubectl(*objects).stdout != before
    keys = host.exec("cat ~kraut/.ssh/authorized_keys").stdout.splitlines()
    assert len(keys) == 1, "the earlier key is gone"


def test_two_hosts_of_one_machine_keep_their_keys_apart(person, host):
    person("web1", host, *trust(host), check=0)
    person("web10", host, *trust(host), check=0)
    person("web1", host, *trust(host), "--rotate-key", check=0)
    keys = host.exec("cat ~kraut/.ssh/authorized_keys").stdout.splitlines()
    assert sorted(line.rpartition("/")[2] for line in keys) == ["web1", "web10"]


def test_a_key_nobody_vouches_for_is_not_trusted(person, host):
    refused = person("web1", host, check=1)
    assert "nobody vouches for the host's key; nothing was sent" in refused.stderr
    wrong = person("web1", host, "--trust-host-key", "SHA256:" + "A" * 43, check=1)
    assert f"found {fingerprint(host.host_key)} (ssh-ed25519); nothing was sent" in wrong.stderr
    assert host.exec("id kraut", check=False).returncode != 0
    assert "No resources" in person.kraut("get", "hosts").stderr


def test_known_hosts_vouch(person, host):
    person("web1", host, "--accept-new", check=0)
    assert host.host_key in person.known_hosts.read_text()
    person("web2", host, check=0)
    person.known_hosts.write_text(f"{host.address} {generate_key_pair().public}\n")
    changed = person("web3", host, "--accept-new", check=1)
    assert f"ssh-keygen -R {host.address}" in changed.stderr


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("kraut-sudo-password", "sudo wants a password there; run again with --ask-sudo-password"),
        ("kraut-no-sudo", "sudo wants a password there"),
        ("kraut-password", "ssh was not let in"),
        ("nobody-here", "ssh was not let in"),
    ],
)
def test_a_user_who_cannot_become_root(person, host, user, said):
    assert said in person("web1", host, *trust(host), user=user, check=1).stderr
    assert host.exec("id kraut", check=False).returncode != 0


@pytest.mark.parametrize("setting", ["PubkeyAuthentication no", "AuthorizedKeysFile /etc/ssh/keys/%u"])
def test_an_sshd_that_would_not_take_the_key(person, host, setting):
    host.exec(f"printf 'Match User kraut\n  {setting}\n' >/etc/ssh/sshd_config.d/kraut-test.conf")
    try:
        refused = person("web1", host, *trust(host), check=1)
    finally:
        host.exec("rm /etc/ssh/sshd_config.d/kraut-test.conf")
    assert setting.split()[0] in refused.stderr


def test_limits_that_may_keep_kraut_out_are_warnings(person, host):
    host.exec("printf 'AllowUsers root ann\nAllowGroups root\n' >/etc/ssh/sshd_config.d/kraut-test.conf")
    try:
        warned = person("web1", host, *trust(host), check=0).stderr
    finally:
        host.exec("rm /etc/ssh/sshd_config.d/kraut-test.conf")
    assert "AllowUsers without kraut" in warned
    assert "AllowGroups: see that a group of kraut is among them" in warned


def test_a_closed_port(person, host):
    refused = person("web1", host, "--port", "2", *trust(host), check=1)
    assert "Connection refused; check address, port, network and jump host" in refused.stderr


def test_root_for_a_host_without_sudo(person, host, tmp_path):
    host.exec("chmod -x /usr/bin/sudo /usr/sbin/visudo")
    try:
        assert "--as-root" in person("web1", host, *trust(host), check=1).stderr
        person("web1", host, *trust(host), "--as-root", check=0)
    finally:
        host.exec("chmod 4755 /usr/bin/sudo; chmod 755 /usr/sbin/visudo")
    key = private_key(person.kraut, "web1-ssh", tmp_path)
    assert ssh(key, host, "id -u", user="root").stdout == "0\n"


def test_through_a_jump_host(person, host, jump, lab, tmp_path):
    person.known_hosts.write_text(f"{jump.address} {jump.host_key}\n")
    person("web1", host, *trust(host), "-J", f"root@{jump.address}", check=0)
    spec = json.loads(person.kraut("get", "host/web1", "-o", "json").stdout)["spec"]
    assert spec["jumpHost"] == {
        "address": jump.address,
        "port": 22,
        "user": "kraut",
        "hostKeys": [jump.host_key],
        "credentialsRef": {"name": "web1-ssh"},
    }
    key = private_key(person.kraut, "web1-ssh", tmp_path)

    def through(target):
        proxy = f"ssh -F /dev/null -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes -i {key} -W %h:%p kraut@{jump.address}"
        return ssh(key, target, "hostname", "-o", f"ProxyCommand={proxy}")

    assert through(host).stdout == f"{host.name}\n"
    # The key opens the way to this host only, and nothing on the jump host itself.
    assert "administratively prohibited" in through(lab.hosts[2]).stderr
    assert ssh(key, jump, "hostname").stdout == ""
    assert jump.exec("ls /etc/sudoers.d").stdout.split() == ["README", "kraut-lab"]


def test_export_for_a_repository(person, host, tmp_path):
    nowhere = {"check": 0}
    everything = person(
        "web1", host, *trust(host), "--export", "--include-secret", "--kubeconfig", "/nonexistent", **nowhere
    )
    secret, exported = yaml.safe_load_all(everything.stdout)
    assert (
        read_key_pair(base64.b64decode(secret["data"]["ssh-privatekey"])).public
        in host.exec("cat ~kraut/.ssh/authorized_keys").stdout
    )
    assert exported["spec"]["hostKeys"] == [host.host_key]
    person.kraut.kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=everything.stdout)
    without = person("web1", host, *trust(host), "--export", check=0)
    assert [document["kind"] for document in yaml.safe_load_all(without.stdout)] == ["Host"]
    assert "is not part of this output" in without.stderr
    assert "No resources" in person.kraut("get", "hosts").stderr
    assert "web1-ssh" in person.kraut.kubectl("get", "secrets").stdout


def test_what_the_cluster_refuses_is_refused_before_the_host_is_touched(person, host, control_plane):
    for words in (["--site", "East"], ["--upgrade-policy", "No_Such"], ["--updates", "All"]):
        person("web1", host, *trust(host), *words, check=1)
    weak = person("web1", host, *trust(host), "--kubeconfig", str(control_plane.kubeconfig("operator")), check=1)
    assert "forbidden" in weak.stderr
    assert host.exec("id kraut", check=False).returncode != 0


def in_a_terminal(argv, environment, answers):
    """Run a program in a terminal and answer what it asks; returns its output and exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(argv[0], argv, environment)
    said, pending, deadline = b"", list(answers), time.monotonic() + 300
    while time.monotonic() < deadline and select.select([terminal], [], [], 300)[0]:
        try:
            said += os.read(terminal, 4096)
        except OSError:
            break
        if pending and pending[0][0] in said:
            os.write(terminal, pending.pop(0)[1] + b"\n")
    return said.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize(("right", "code"), [(True, 0), (False, 1)])
def test_somebody_at_a_terminal_is_asked(person, host, lab, right, code):
    password = lab.ssh.password if right else "wrong"
    argv = [
        sys.executable,
        "-m",
        "kraut_cli",
        "host",
        "add",
        "web1",
        "--address",
        host.address,
        "--user",
        "kraut-sudo-password",
        "-K",
    ]
    argv += ["-F", str(person.config), "-n", person.kraut.namespace]
    answers = [(b"sudo password on", password.encode()), (b"continue connecting", b"yes")]
    said, found = in_a_terminal(argv, person.kraut.environment, answers)
    assert found == code, said
    assert fingerprint(host.host_key) in said
    assert lab.ssh.password not in said
    assert ("host.kraut.dev/web1 applied" in said) is right
    assert ("sudo did not take the password" in said) is not right


@pytest.mark.usefixtures("services")
def test_kraut_takes_it_from_there(person, host, lab):
    result = person("web1", host, *trust(host), "--wait", "--timeout", "3m", check=0)
    header, row = result.stdout.splitlines()
    assert header.split()[:3] == ["NAME", "ADDRESS", "OS"]
    assert row.split()[:5] == ["web1", host.address, "Debian", "GNU/Linux", "12"]
    report = person.kraut("host", "test", "web1", check=0).stdout
    assert "kraut can manage it" in report
    assert "can be had" in report
    # Its key still lets it in, and the rule is gone before kraut has ever seen this Host.
    other = lab.hosts[1]
    host_of_other = {
        "apiVersion": "kraut.dev/v1alpha1",
        "kind": "Host",
        "metadata": {"name": "web2"},
        "spec": {
            "address": other.address,
            "user": "kraut-no-sudo",
            "hostKeys": [other.host_key],
            "credentialsRef": {"name": "lab"},
        },
    }
    person.kraut.kubectl("create", "secret", "generic", "lab", f"--from-file=ssh-privatekey={lab.ssh.private_key}")
    person.kraut.kubectl("create", "-f", "-", stdin=json.dumps(host_of_other))
    refused = person.kraut("host", "test", "web2", check=3)
    assert refused.stdout.startswith(f"web2 (kraut-no-sudo@{other.address}:22): kraut cannot manage it\n  ! Sudo")
    assert "log in     works\n  root       NO\n" in refused.stdout
    assert "sudo" in refused.stderr
