"""Hundreds of hosts at once, some slow, some half-dead (docs/reports/fault-matrix.md, row 14: I1, I10).

The servers are a process of their own (farm.py), the observer another (observe.py), so that what is
measured is the client's. A sample runs in `make test`; the whole run, in `make sweep`, writes docs/reports/ssh-at-scale.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import pytest

from kraut_core.errors import UnreachableError
from kraut_core.testing.processes import GUARD
from kraut_lab.errors import MissingRequirementError
from kraut_lab.lab import Lab
from kraut_lab.owner import claim
from kraut_lab.settings import load_lab_settings
from kraut_lab.teardown import tear_down
from kraut_lab.watchdog import Watchdog
from kraut_worker.adapters.ssh import SshConnector

HERE = Path(__file__).parent
REPORTS = Path(__file__).parents[5] / "docs" / "reports"
TRANSIENT = (
    "ConnectionDropped",
    "ConnectionLost",
    "SshProtocolError",
    "SessionRefused",
    "LoginTimeout",
    "ConnectionTimeout",
)
DESCRIPTORS_OF_A_CONNECTION = 1
MEMORY_OF_A_CONNECTION = 256 * 2**10
REAL_HOSTS = 60
"""Of the two hundred; each is a systemd with sshd, journald and dbus, about 40 MiB."""


@pytest.fixture
def farm(tmp_path):
    """Start the servers: ``farm(healthy=30, slow=3)`` gives their folder; hosts of a lab stand in it too, as ``real`` ones."""
    started = []

    def start(*, lab=None, **counts):
        process = subprocess.Popen(
            [*GUARD, sys.executable, HERE / "farm.py", tmp_path, json.dumps(counts)], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        if lab is not None:
            file = tmp_path / "hosts.json"
            file.write_text(json.dumps([*json.loads(file.read_text()), *map(partial(described, lab), lab.hosts)]))
        return tmp_path

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def described(lab, host):
    """A real host as farm.py describes its own; root, so that nothing but sshd stands before the shell."""
    return {
        "kind": "real",
        "address": host.address,
        "port": host.port,
        "user": "root",
        "key": str(lab.ssh.private_key),
        "hostKey": host.host_key,
        "machineID": host.machine_id,
    }


@pytest.fixture
def many_real_hosts():
    """A lab of its own with as many hosts as a machine of CI bears beside the others."""
    state_dir = load_lab_settings().state_dir
    folder = state_dir / f"pytest-{os.getpid()}-scale"
    claim(folder)
    watchdog = Watchdog(folder)
    try:
        yield Lab(folder.name).up(hosts=REAL_HOSTS, components=False)
    except MissingRequirementError as error:
        pytest.skip(str(error))
    finally:
        tear_down(folder)
        watchdog.release()


def observe(folder, *, max_hosts=100, patient=False, **ssh):
    options = {"maxHosts": max_hosts, "patient": patient, "ssh": ssh}
    argv = [sys.executable, HERE / "observe.py", folder, json.dumps(options)]
    return json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)


def results_of(report, kind):
    return {name.partition(": ")[2]: count for name, count in report["results"].items() if name.startswith(f"{kind}:")}


def assert_bounded(report, *, handshakes=16):
    """Nothing leaks, and nothing grows with the number of hosts but one connection for each."""
    hosts = sum(report["hosts"].values())
    before, most, after = report["before"], report["most"], report["after"]
    assert after["descriptors"] == before["descriptors"]
    assert after["tasks"] == before["tasks"]
    assert most["descriptors"] - before["descriptors"] <= hosts * DESCRIPTORS_OF_A_CONNECTION + handshakes
    grown = report["connected"]["memory"] - before["memory"]
    assert grown <= hosts * MEMORY_OF_A_CONNECTION + 16 * 2**20
    # One per host that is being looked at, and one of asyncssh's per login that is under way.
    assert most["tasks"] - before["tasks"] <= 3 * hosts


@pytest.mark.fault(row=14, fault="accepts TCP and says nothing", invariants=("I1", "I10"))
@pytest.mark.fault(row=14, fault="56 kbit/s", invariants=("I1", "I10"))
@pytest.mark.integration
def test_half_dead_hosts_hold_up_no_others(farm):
    """Row 14, I1, I10: all others are observed while those that are silent, before or after their banner, are still waited for."""
    folder = farm(healthy=30, slow=2, mute=20, stuck=24, dying=4)
    report = observe(folder, connect_timeout_seconds=300, login_timeout_seconds=300, handshake_seconds=1)
    assert results_of(report, "healthy") == {"observed": 30}
    assert results_of(report, "slow") == {"observed": 2}
    # Nobody waited for the end of a half-dead host: none had come to one.
    assert not {"mute", "stuck"} & set(report["order"])
    for outcome in results_of(report, "dying"):
        assert outcome == "observed" or outcome in TRANSIENT
    assert_bounded(report)


@pytest.mark.integration
def test_a_host_that_hangs_in_its_login_gives_its_place_back(farm):
    """Row 14, I1: one place for all handshakes, and the first to come hang."""
    folder = farm(stuck=3, healthy=3)
    patient = {"connect_timeout_seconds": 300, "login_timeout_seconds": 300}
    report = observe(folder, **patient, max_handshakes=1, handshake_seconds=0.5)
    assert report["order"] == ["healthy"] * 3


@pytest.mark.fault(row=14, fault="MaxStartups=2", invariants=("I1",))
@pytest.mark.integration
async def test_a_crowd_before_max_startups_gets_in_one_after_the_other(start_sshd):
    """Row 14, I1: sshd drops all but two unauthenticated connections; each drop is transient, and everybody gets in."""
    sshd = start_sshd("MaxStartups 2:100:2")
    tries, refusals = Counter(), set()

    async with SshConnector() as connector:

        async def enter(uid):
            while True:
                tries[uid] += 1
                try:
                    async with connector.connect(replace(sshd.target, uid=uid)) as shell:
                        return (await shell.run("id -u", timeout_seconds=60)).stdout
                except UnreachableError as error:
                    refusals.add((error.reason, error.permanent))
                await asyncio.sleep(0.05 * tries[uid])

        assert await asyncio.gather(*(enter(str(number)) for number in range(12))) == [b"0\n"] * 12
    assert refusals == {("ConnectionDropped", False)}


@pytest.mark.fault(row=14, fault="accepts TCP and says nothing", invariants=("I1", "I10"))
@pytest.mark.fault(row=14, fault="56 kbit/s", invariants=("I1", "I10"))
@pytest.mark.sweep
@pytest.mark.lab
@pytest.mark.timeout(1800)
def test_two_hundred_hosts(farm, many_real_hosts):
    """Row 14, I1, I10: the whole run, with as many real hosts as fit, and the report of what a connection costs."""
    counts = {"healthy": 200 - REAL_HOSTS, "slow": 10, "mute": 25, "stuck": 25, "dying": 10}
    folder = farm(lab=many_real_hosts, **counts)
    bad = observe(folder, patient=True, login_timeout_seconds=120)
    assert results_of(bad, "real") == {"observed": REAL_HOSTS}
    assert results_of(bad, "healthy") == {"observed": 200 - REAL_HOSTS}
    assert results_of(bad, "slow") == {"observed": 10}
    assert results_of(bad, "mute") == {"LoginTimeout": 25}
    assert results_of(bad, "stuck") == {"LoginTimeout": 25}
    assert_bounded(bad)
    good = observe_healthy(folder)
    assert_bounded(good)
    write_report(good, bad)


def observe_healthy(folder):
    """The same hosts without the bad ones."""
    hosts = json.loads((folder / "hosts.json").read_text())
    (folder / "hosts.json").write_text(json.dumps([host for host in hosts if host["kind"] in ("healthy", "real")]))
    return observe(folder, max_hosts=300)


def counted(numbers):
    """``{"healthy": 200, "slow": 10}`` for people: ``200 healthy, 10 slow``."""
    return ", ".join(f"{number} {name}" for name, number in numbers.items())


def write_report(good, bad):
    healthy = good["hosts"]["healthy"] + good["hosts"]["real"]
    figures = {
        "python": sys.version.split()[0],
        "asyncssh": version("asyncssh"),
        "openssh": subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=False).stderr.strip(),
        "processors": os.cpu_count(),
        "loadAverage": round(os.getloadavg()[0], 1),
        "memoryPerConnectionKiB": round((good["connected"]["memory"] - good["before"]["memory"]) / healthy / 1024, 1),
        "cpuMillisecondsPerHost": round(good["cpuSeconds"] / healthy * 1000, 1),
        "healthyAlone": {key: good[key] for key in good if key != "order"},
        "withBadOnes": {key: bad[key] for key in bad if key != "order"},
    }
    REPORTS.mkdir(exist_ok=True)
    (REPORTS / "ssh-at-scale.json").write_text(json.dumps(figures, indent=2) + "\n")
    rows = "\n".join(
        f"| {title} | {counted(report['hosts'])} | {report['seconds']} | {report['cpuSeconds']} | {report['most']['descriptors']} | {report['most']['tasks']} | {report['after']['descriptors'] - report['before']['descriptors']} / {report['after']['tasks'] - report['before']['tasks']} |"
        for title, report in (("healthy only", good), ("with slow and half-dead ones", bad))
    )
    (REPORTS / "ssh-at-scale.md").write_text(f"""# SSH at scale

Every host is logged in to and all its facts are gathered, at the same time, by one process. *real*: Debian 12 hosts of the lab,
with systemd, OpenSSH's sshd and apt, on the same machine. The others are one further process there (asyncssh, each with an
address, a host key and a machine id of its own, answering from recordings of a Debian 12 host). Written by `.venv/bin/pytest -m sweep packages/kraut-worker/tests/ssh/scale`; figures in
[ssh-at-scale.json](ssh-at-scale.json).

| run | hosts | seconds until all but half-dead ones are observed | CPU seconds of the client | most descriptors | most tasks | left after close (descriptors / tasks) |
|---|---|---|---|---|---|---|
{rows}

- Memory per open connection: {figures["memoryPerConnectionKiB"]} KiB. CPU of the client per host, login and facts: {figures["cpuMillisecondsPerHost"]} ms.
- slow: 150 ms and 56 kbit/s in each direction. mute: accepts TCP and says nothing. stuck: sends its banner and nothing more.
  dying: the connection is reset somewhere on the way.
- {figures["processors"]} processors shared with the servers, load average {figures["loadAverage"]}; Python {figures["python"]}, asyncssh {figures["asyncssh"]}, {figures["openssh"]}.

Results with the bad ones: {counted(bad["results"])}.
""")
