"""A lab as a whole: up, status, down; killed in the middle; crashed and healed; two side by side."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kraut_lab.lab import Lab
from kraut_lab.names import LabNames
from kraut_lab.processes import kill_all
from kraut_lab.settings import load_lab_settings
from kraut_lab.teardown import find_left
from kraut_lab.waiting import wait_for, wait_until

MakeLab = Callable[[str], Lab]

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="hosts need Linux and root: run with sudo"),
]


def traces(folder: Path) -> list[str]:
    """All that the machine shows of a lab, found with other means than `down` uses. Labs of others may run meanwhile."""
    mine = (str(folder), LabNames(folder).id)
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    cgroups = [path for path in _walk("/sys/fs/cgroup") if "/kraut-lab-" in path]
    run = [path for path in _walk("/run") if "kr" in path]
    shown = [*_output("ip", "netns"), *_output("ip", "-br", "link"), *_output("ps", "-e", "-o", "pid=,args=")]
    shown += [*_output("nft", "list", "ruleset"), *mounts, *cgroups, *run]
    return [line for line in shown if any(name in line for name in mine)] + _users_of(folder)


def _walk(top: str) -> list[str]:
    """All paths below; what goes away meanwhile is left out."""
    return [f"{folder}/{name}" for folder, folders, files in os.walk(top) for name in (*folders, *files)]


def _output(*argv: str) -> list[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()


def _users_of(folder: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            links = [entry / "cwd", entry / "root", *(entry / "fd").iterdir()]
            found += [entry.name for link in links if str(link.readlink()).startswith(str(folder))]
    return found


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[MakeLab]:
    """Makes labs of the test's own state folder and removes them."""
    settings = load_lab_settings().model_copy(update={"state_dir": tmp_path})
    labs: list[Lab] = []

    def make(name: str) -> Lab:
        labs.append(Lab(name, settings=settings))
        return labs[-1]

    yield make
    for lab in labs:
        lab.down()


def kraut_lab(state_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KRAUT_LAB_STATE_DIR": str(state_dir)}
    argv = [sys.executable, "-m", "kraut_lab", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)


def when_ready(state_dir: Path) -> subprocess.CompletedProcess[str] | None:
    """``status``, once all is ready: it has a second per part, which may be short where much else runs."""
    status = kraut_lab(state_dir, "status", "-o", "json")
    return status if status.returncode == 0 else None


def test_the_commands(tmp_path: Path) -> None:
    folder = tmp_path / "default"
    try:
        up = kraut_lab(tmp_path, "up", "--hosts", "1", "--no-components")
        assert (up.returncode, up.stdout) == (0, ""), up.stderr
        status = wait_for(lambda: when_ready(tmp_path), "all parts to be ready at one look")
        wanted = {part["name"]: part["state"] for part in json.loads(status.stdout) if part["wanted"]}
        assert set(wanted.values()) == {"Ready"}
        assert len(traces(folder)) > 10
        assert {"etcd", "kube-apiserver", "kube-controller-manager", "temporal", "host-1"} <= set(wanted)
        described = json.loads(kraut_lab(tmp_path, "env", "-o", "json").stdout)
        exports = kraut_lab(tmp_path, "env").stdout
        assert f"export KUBECONFIG={described['environment']['KUBECONFIG']}\n" in exports
        Lab(settings=load_lab_settings().model_copy(update={"state_dir": tmp_path})).host("host-1").power_off()
        assert kraut_lab(tmp_path, "status").returncode == 3
    finally:
        down = kraut_lab(tmp_path, "down")
    assert down.returncode == 0, down.stderr
    assert traces(tmp_path / "default") == []
    gone = kraut_lab(tmp_path, "status")
    assert (gone.returncode, gone.stdout) == (1, "")
    assert "run `kraut lab up` first" in gone.stderr
    assert kraut_lab(tmp_path, "down").returncode == 0


@pytest.mark.parametrize("delay", [0.4, 1.2, 2.0, 2.6, 3.2, pytest.param(None, id="random")])
def test_down_after_a_sigkill_in_the_middle_of_up(tmp_path: Path, delay: float | None) -> None:
    seconds = random.uniform(0, 6) if delay is None else delay
    environment = {**os.environ, "KRAUT_LAB_STATE_DIR": str(tmp_path)}
    argv = [sys.executable, "-m", "kraut_lab", "up", "--hosts", "2"]
    with subprocess.Popen(argv, env=environment, stderr=subprocess.DEVNULL) as up:
        # Time is the variable under test here: any moment must do.
        time.sleep(seconds)
        up.kill()
    down = kraut_lab(tmp_path, "down")
    assert down.returncode == 0, f"after {seconds} s: {down.stderr}"
    assert traces(tmp_path / "default") == [], f"after {seconds} s"
    assert list(tmp_path.iterdir()) == []


def test_up_heals_what_crashed_and_keeps_what_runs(make_lab: MakeLab) -> None:
    lab = make_lab("heals").up(hosts=2, components=False)
    first, second = lab.hosts
    identity = first.machine_id, first.host_key, first.address
    first.exec("echo kept >/var/lib/kept")
    kept = second.pid, lab.control_plane.etcd.pid
    lab.temporal.daemon.kill(signal.SIGKILL)
    lab.control_plane.controller_manager.kill(signal.SIGKILL)
    lab.apt_repository.stop()
    supervisor = first.supervisor.process
    assert supervisor is not None
    kill_all([supervisor])
    lab.up(components=False)
    wait_until(lab.control_plane.is_ready, "the control plane")
    wait_until(lab.temporal.is_ready, "Temporal")
    assert (second.pid, lab.control_plane.etcd.pid) == kept
    assert (first.machine_id, first.host_key, first.address) == identity
    assert first.exec("cat /var/lib/kept").stdout == "kept\n"
    assert first.exec("apt-get -q update -o APT::Update::Error-Mode=any").returncode == 0


def test_up_heals_after_everything_died_as_in_a_crash_of_the_machine(make_lab: MakeLab) -> None:
    lab = make_lab("crashed").up(hosts=1, components=False)
    machine_id = lab.hosts[0].machine_id
    subprocess.run(["ip", "link", "delete", lab.names.bridge], check=True)
    lab.hosts[0].power_off()
    kill_all([daemon.process for daemon in lab.control_plane.daemons if daemon.process])
    lab.up(components=False)
    lab.hosts[0].wait_answers()
    assert lab.hosts[0].machine_id == machine_id


def test_two_labs_side_by_side(make_lab: MakeLab) -> None:
    left, right = make_lab("left"), make_lab("right")
    argv = [sys.executable, "-m", "kraut_lab", "up", "--hosts", "1", "--no-components", "--name"]
    environment = {**os.environ, "KRAUT_LAB_STATE_DIR": str(left.settings.state_dir)}
    starting = [
        subprocess.Popen([*argv, lab.name], env=environment, stderr=subprocess.DEVNULL) for lab in (left, right)
    ]
    assert [process.wait() for process in starting] == [0, 0]
    assert left.record.subnet != right.record.subnet
    assert left.control_plane.url != right.control_plane.url
    left.down()
    assert find_left(left.folder) == []
    right.hosts[0].wait_answers()
    wait_until(right.control_plane.is_ready, "the control plane")
    wait_until(right.temporal.is_ready, "Temporal")


def test_hosts_are_added_but_never_removed(make_lab: MakeLab) -> None:
    lab = make_lab("grows").up(hosts=1, components=False)
    first = lab.hosts[0].pid
    lab.up(hosts=2, components=False)
    assert len(lab.hosts) == 2
    for host in lab.hosts:
        host.wait_answers()
    assert lab.hosts[0].pid == first
    with pytest.raises(Exception, match="more than the 1 asked for"):
        lab.up(hosts=1)


def test_debians_own_archives_are_an_option(make_lab: MakeLab) -> None:
    host = make_lab("debian").up(hosts=1, components=False, debian_updates=True).hosts[0]
    host.exec("apt-get -q update -o APT::Update::Error-Mode=any")
    origins = host.exec("apt-cache policy").stdout
    assert "o=Debian,a=" in origins
    assert ",l=Debian-Security," in origins
    # Downloaded through the lab, since the host has no route to anywhere, and verified with Debian's own keys.
    host.exec("cd /tmp && apt-get -q download hostname && dpkg-deb --info hostname_*.deb")


def test_two_ups_at_once_make_one_lab(tmp_path: Path, make_lab: MakeLab) -> None:
    lab = make_lab("once")
    environment = {**os.environ, "KRAUT_LAB_STATE_DIR": str(tmp_path)}
    argv = [sys.executable, "-m", "kraut_lab", "up", "--hosts", "1", "--no-components", "--name", "once"]
    both = [subprocess.Popen(argv, env=environment, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    pids = [daemon.pid for daemon in lab.control_plane.daemons]
    wait_until(lab.control_plane.is_ready, "the control plane")
    assert [daemon.pid for daemon in lab.control_plane.daemons] == pids


def test_nothing_outlives_a_killed_test_session(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    (tmp_path / "test_it.py").write_text(
        "import pathlib, time\n\n\ndef test_it(lab):\n"
        f"    pathlib.Path({str(ready)!r}).write_text(str(lab.folder))\n    time.sleep(600)\n"
    )
    state_dir = tmp_path / "state"
    environment = {**os.environ, "KRAUT_LAB_STATE_DIR": str(state_dir)}
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "kraut_lab_hosts=1", "test_it.py"]
    with subprocess.Popen(argv, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL) as session:
        wait_until(lambda: ready.exists() or session.poll() is not None, "the lab to be up", timeout=400)
        folder = Path(ready.read_text())
        assert len(traces(folder)) > 10
        session.kill()
    wait_until(lambda: not traces(folder) and not list(state_dir.iterdir()), "the watchdog to remove all")
