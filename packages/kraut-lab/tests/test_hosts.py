"""Real hosts: identity, boots, power, network, users, packages."""

import socket
import subprocess

import pytest

from kraut_lab.apt import DebPackage, postinst_fails_while
from kraut_lab.hosts import LabHost
from kraut_lab.hosts.witness import FORGET, INSTALL, read_witnessed
from kraut_lab.lab import Lab
from kraut_lab.waiting import wait_until

pytestmark = pytest.mark.lab

OPERATION = "0000000a-0000-4000-8000-000000000001"


@pytest.fixture
def host(lab: Lab) -> LabHost:
    return lab.hosts[0]


def ssh(lab: Lab, host: LabHost, user: str, command: str, *, stdin: str = "") -> subprocess.CompletedProcess[str]:
    known_hosts = lab.folder / f"known-hosts-{host.name}"
    known_hosts.write_text(f"{host.address} {host.host_key}\n")
    options = [f"UserKnownHostsFile={known_hosts}", "StrictHostKeyChecking=yes", "BatchMode=yes", "IdentitiesOnly=yes"]
    flags = [flag for option in options for flag in ("-o", option)]
    argv = ["ssh", "-F", "none", *flags, "-i", str(lab.ssh.private_key), f"{user}@{host.address}", command]
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)


def test_each_host_is_its_own_machine(lab: Lab) -> None:
    for identity in ("address", "host_key", "machine_id", "boot_id"):
        assert len({getattr(host, identity) for host in lab.hosts}) == len(lab.hosts)


def test_a_fresh_host_is_healthy(host: LabHost) -> None:
    wait_until(lambda: host.exec("systemctl is-system-running", check=False).stdout == "running\n", "all units")


def test_the_user_of_kraut_becomes_root_for_scripts_on_stdin_and_for_nothing_else(lab: Lab, host: LabHost) -> None:
    allowed = ssh(lab, host, "kraut", "sudo -n -- /bin/sh -s", stdin="id -u\n")
    assert (allowed.stdout, allowed.returncode) == ("0\n", 0), allowed.stderr
    for command in ("sudo -n id", "sudo -n -- /bin/sh", "sudo -n -- /bin/sh -s x", "sudo -n -- /bin/sh -c id"):
        assert ssh(lab, host, "kraut", command).returncode != 0, command


@pytest.mark.parametrize(
    ("user", "logs_in", "says"),
    [
        ("root", True, ""),
        ("kraut-sudo-password", True, "a password is required"),
        ("kraut-no-sudo", True, "a password is required"),
        ("kraut-password", False, "Permission denied"),
        ("nobody-at-all", False, "Permission denied"),
    ],
)
def test_other_ways_in(lab: Lab, host: LabHost, user: str, logs_in: bool, says: str) -> None:
    assert (ssh(lab, host, user, "true").returncode == 0) == logs_in
    assert says in ssh(lab, host, user, "sudo -n -- /bin/sh -s", stdin="true\n").stderr


def test_a_reboot_is_a_new_boot_of_the_same_machine(lab: Lab, host: LabHost) -> None:
    identity, boot_id = (host.address, host.host_key, host.machine_id), host.boot_id
    host.exec("echo kept >/var/lib/kept && echo lost >/run/lost")
    # Over SSH, as kraut does it: sshd ends in the middle.
    ssh(lab, host, "root", "systemctl reboot")
    wait_until(lambda: host.pid is not None and host.answers() and host.boot_id != boot_id, "the next boot")
    assert identity == (host.address, host.host_key, host.exec("cat /etc/machine-id").stdout.strip())
    assert host.exec("cat /var/lib/kept; test ! -e /run/lost").stdout == "kept\n"


def test_power(host: LabHost) -> None:
    boot_id = host.boot_id
    host.reset()
    host.wait_answers()
    assert host.boot_id != boot_id
    host.power_off()
    assert not host.answers()
    host.power_on()
    host.wait_answers()


def test_a_host_that_does_not_come_back(host: LabHost) -> None:
    host.break_boot()
    host.exec("systemctl reboot")
    wait_until(lambda: not host.supervisor.is_running(), "the host to stay off")
    assert host.pid is None
    host.power_on()
    host.wait_answers()


@pytest.mark.parametrize("how", ["drop", "reject"])
def test_a_partition_outlives_a_reboot_and_heals(host: LabHost, how: str) -> None:
    host.network.partition("drop" if how == "drop" else "reject")
    assert not host.answers()
    host.reset()
    assert not host.answers()
    host.network.heal()
    host.wait_answers()


def test_a_rejecting_partition_refuses_new_connections_and_resets_those_that_stand(host: LabHost) -> None:
    with socket.create_connection((host.address, host.port), timeout=60) as standing:
        assert standing.recv(1024).startswith(b"SSH-2.0-")
        host.network.partition("reject")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host.address, host.port), timeout=60)
        standing.sendall(b"SSH-2.0-test\r\n")
        with pytest.raises(ConnectionResetError):
            standing.recv(1024)
    host.network.heal()


def test_updates_are_real_and_counted(lab: Lab, host: LabHost) -> None:
    host.exec("apt-get -q update")
    simulated = host.exec("apt-get -s dist-upgrade").stdout
    assert "Inst kraut-demo-openssl [1.0] (1.1 Debian-Security:12/stable-security [all])" in simulated
    assert simulated.count("\nInst ") == 5
    host.exec("apt-mark hold kraut-demo-held")
    host.exec("DEBIAN_FRONTEND=noninteractive apt-get -q -y dist-upgrade")
    updated = {entry.package for entry in host.maintainer_log() if entry.version == "1.1"}
    assert updated == {f"kraut-demo-{name}" for name in ("tool", "openssl", "kernel", "config")}
    assert {entry.boot_id for entry in host.maintainer_log() if entry.version == "1.1"} == {host.boot_id}
    assert host.exec("cat /run/reboot-required.pkgs").stdout == "kraut-demo-kernel\n"
    host.exec("apt-mark unhold kraut-demo-held")


def test_runs_of_apt_and_boots_are_witnessed_with_who_did_them(host: LabHost) -> None:
    host.exec(INSTALL)
    for _ in range(2):
        unit = f"systemd-run --quiet --wait --collect --unit=kraut-{OPERATION}"
        host.exec(f"{unit} sh -c 'apt-get -q update && apt-get -q -y install --reinstall kraut-demo-held'")
    host.exec("apt-get -q update")
    before = read_witnessed(host)
    assert before.runs(OPERATION) == {"lists": 2, "packages": 2}
    assert before.operations == {OPERATION}
    assert before.repeated() == [f"operation {OPERATION} ran apt for {what} 2 times" for what in ("lists", "packages")]
    assert before.boots == 0
    host.reboot()
    assert read_witnessed(host).boots == 1
    host.exec(FORGET)
    assert read_witnessed(host).happenings == ()


def test_new_versions_can_be_published_and_fail(lab: Lab, host: LabHost) -> None:
    package = DebPackage("kraut-demo-tool", "2.0", postinst=postinst_fails_while("/run/broken"))
    lab.apt_repository.publish(package)
    try:
        host.exec("touch /run/broken && apt-get -q update")
        failed = host.exec("apt-get -q -y install kraut-demo-tool", check=False)
        assert failed.returncode == 100
        host.exec("rm /run/broken && dpkg --configure -a")
        assert host.maintainer_log()[-1].version == "2.0"
    finally:
        lab.apt_repository.withdraw(package)


def test_the_repository_can_be_down(lab: Lab, host: LabHost) -> None:
    lab.apt_repository.stop()
    assert host.exec("apt-get -q update -o APT::Update::Error-Mode=any", check=False).returncode == 100
    lab.apt_repository.start(lab.gateway)
    assert host.exec("apt-get -q update -o APT::Update::Error-Mode=any").returncode == 0
