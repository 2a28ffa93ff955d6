"""A host with needrestart: it asks nothing, and services that run what was replaced are started again."""

import pytest

from kraut_lab.apt import DebPackage
from kraut_lab.hosts.image import HostImage

pytestmark = pytest.mark.lab

UNIT = """[Service]
ExecStart=/opt/kraut-t-daemon infinity
"""


@pytest.fixture
def machine(kraut, prepared):
    """One more host, with needrestart."""
    count = len(kraut.hosts)
    kraut.up(hosts=count + 1, components=False, image=HostImage(packages=("needrestart",)))
    host = kraut.hosts[count]
    return prepared(host)


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


def main_pid(machine):
    return machine.exec("systemctl show -P MainPID kraut-t").stdout.strip()
