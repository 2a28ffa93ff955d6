"""A host with needrestart: it asks nothing, and services that run what was replaced are started again."""

import pytest

from kraut_lab.apt import DebPackage
from kraut_lab.hosts.image import HostImage

pytestmark = pytest.mark.lab

UNIT = """[Service]
ExecStart=/opt/kraut-t-daemon infinity
"""


@pytest.fixture(scope="module")
def one_more(kraut):
    """One more host, with needrestart."""
    count = len(kraut.hosts)
    kraut.up(hosts=count + 1, components=False, image=HostImage(packages=("needrestart",)))
    return kraut.hosts[count]


@pytest.fixture
def machine(one_more, prepared):
    """That host, in good order."""
    return prepared(one_more)


def test_needrestart_asks_nobody_and_restarts_what_runs_an_old_program(desk, machine, lab):
    replace = "cp /bin/sleep /opt/kraut-t-daemon.new && mv /opt/kraut-t-daemon.new /opt/kraut-t-daemon"
    lab.apt_repository.publish(DebPackage("kraut-t-daemon", "1.0", postinst=replace))
    machine.exec("apt-get update -qq && apt-get install -yqq kraut-t-daemon=1.0 >/dev/null")
    machine.exec(
        f"printf '{UNIT}' >/etc/systemd/system/kraut-t.service; systemctl daemon-reload; systemctl start kraut-t"
    )
    before = main_pid(machine)
    lab.apt_repository.publish(DebPackage("kraut-t-daemon", "1.1", postinst=replace))

    desk.host(machine, operatingSystem={"updates": "All"}).wait_up_to_date()

    assert machine.exec("dpkg-query -W -f '${Version}' kraut-t-daemon").stdout == "1.1"
    assert main_pid(machine) not in (before, "0")
    assert machine.exec("systemctl is-active kraut-t").stdout.strip() == "active"


def test_an_update_of_what_kraut_itself_runs_does_not_restart_its_operation(desk, machine, lab):
    """Else apt waits for needrestart, that for systemd, and systemd for apt."""
    programs = ("/bin/dash", "/usr/bin/flock", "/usr/bin/apt-get")
    replace = "\n".join(f"cp -p {program} {program}.new && mv {program}.new {program}" for program in programs)
    lab.apt_repository.publish(DebPackage("kraut-t-shell", "1.0"))
    machine.exec("apt-get update -qq && apt-get install -yqq kraut-t-shell=1.0 >/dev/null")
    lab.apt_repository.publish(DebPackage("kraut-t-shell", "1.1", postinst=replace))

    host = desk.host(machine, operatingSystem={"updates": "All"}).wait_up_to_date()

    assert machine.exec("dpkg-query -W -f '${Version}' kraut-t-shell").stdout == "1.1"
    assert [(operation["result"], operation["exitCode"]) for operation in host["status"]["operations"]] == [
        ("Succeeded", 0)
    ]
    (output,) = machine.exec("cat /var/lib/kraut/ops/*/out").stdout.split("== check")[1:]
    assert "kraut-" in output.partition("being refused by systemd:")[2]


def main_pid(machine):
    return machine.exec("systemctl show -P MainPID kraut-t").stdout.strip()
