"""Processes, daemons, locks and ports on the real machine; no root needed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kraut_lab import requirements
from kraut_lab.daemon import Daemon
from kraut_lab.errors import MissingRequirementError, PartFailedError
from kraut_lab.files import file_lock, read_json, write_json
from kraut_lab.owner import abandoned, claim
from kraut_lab.ports import choose_ports, is_free, recorded_ports, replace_taken_ports
from kraut_lab.processes import ProcessId, children, find_marked, kill_all
from kraut_lab.temporal import TemporalPorts
from kraut_lab.waiting import wait_until

SLEEP = ["/bin/sleep", "600"]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path, "sleeper")
    yield daemon
    kill_all(find_marked(tmp_path))


def test_a_daemon_is_found_again_by_its_folder_and_by_its_marker(daemon: Daemon, tmp_path: Path) -> None:
    process = daemon.start(SLEEP)
    wait_until(lambda: find_marked(tmp_path) == [process], "the marker to be seen")
    assert Daemon(tmp_path, "sleeper").process == process
    assert daemon.start(SLEEP) == process
    assert find_marked(tmp_path / "other") == []


def test_a_recycled_pid_is_never_touched(daemon: Daemon) -> None:
    process = daemon.start(SLEEP)
    recycled = ProcessId(process.pid, process.start_time - 1)
    assert not recycled.is_alive()
    assert not recycled.send(signal.SIGKILL)
    assert kill_all([recycled]) == []
    assert process.is_alive()


def test_a_pid_that_is_a_thread_of_another_process_by_now_is_gone() -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        assert thread.native_id is not None
        assert not ProcessId(thread.native_id, 1).is_alive()
    finally:
        over.set()
        thread.join()


def test_pids_of_another_boot_mean_nothing(daemon: Daemon, tmp_path: Path) -> None:
    daemon.start(SLEEP)
    record = tmp_path / "processes" / "sleeper.json"
    write_json(record, {**(read_json(record) or {}), "bootId": "another"})
    assert daemon.process is None


def test_a_stopped_process_still_runs_and_can_be_ended(daemon: Daemon) -> None:
    process = daemon.start(SLEEP)
    assert daemon.send(signal.SIGSTOP)
    assert daemon.is_running()
    daemon.stop(grace=5)
    assert not process.is_alive()


def test_one_that_ignores_sigterm_is_killed(daemon: Daemon, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    daemon.start(["/bin/sh", "-c", f"trap '' TERM; touch {ready}; while :; do /bin/sleep 1; done"])
    wait_until(ready.exists, "the trap")
    daemon.stop(grace=0.2)
    assert not daemon.is_running()


def test_children(daemon: Daemon) -> None:
    process = daemon.start(["/bin/sh", "-c", "/bin/sleep 600; true"])
    wait_until(lambda: len(children(process.pid)) == 1, "the child")


def test_one_that_ends_early_says_its_last_words(daemon: Daemon) -> None:
    daemon.start(["/bin/sh", "-c", "echo last words; exit 1"])
    with pytest.raises(PartFailedError, match=r"ended before (.|\n)*last words"):
        daemon.wait_ready(lambda: False, "it is ready")


def test_one_that_is_not_ready_in_time_says_its_last_words(daemon: Daemon) -> None:
    daemon.start(["/bin/sh", "-c", "echo not yet; exec /bin/sleep 600"])
    wait_until(lambda: "not yet" in daemon.log_tail(), "the log")
    with pytest.raises(PartFailedError, match=r"in vain(.|\n)*not yet"):
        daemon.wait_ready(lambda: False, "it is ready", timeout=0.1)


def test_a_program_that_is_not_there_says_so(daemon: Daemon) -> None:
    daemon.start(["/nonexistent/program"])
    with pytest.raises(PartFailedError, match="not found"):
        daemon.wait_ready(lambda: False, "it is ready")


def test_a_removed_lock_file_lets_nobody_in_twice(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    inside, most, waiting = [0], [0], threading.Event()

    def work() -> None:
        for _ in range(50):
            with file_lock(path, on_wait=waiting.set):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1
                path.unlink()  # the holder's last act

    threads = [threading.Thread(target=work) for _ in range(4)]
    with file_lock(path):
        for thread in threads:
            thread.start()
        assert waiting.wait(60)
        path.unlink()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_the_lock_goes_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from kraut_lab.files import file_lock
        with file_lock(Path(sys.argv[1])):
            print(flush=True)
            sys.stdin.read()
    """)
    argv = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with file_lock(path, on_wait=holder.kill):
            assert holder.wait() == -signal.SIGKILL


def test_a_lab_whose_owner_died_is_abandoned_and_one_without_owner_is_not(tmp_path: Path) -> None:
    claim(tmp_path / "mine")
    (tmp_path / "persons").mkdir()
    for name, changes in (("dead", {"start_time": 1}), ("rebooted", {"bootId": "another"})):
        write_json(tmp_path / name / "owner.json", {**(read_json(tmp_path / "mine" / "owner.json") or {}), **changes})
    assert [folder.name for folder in abandoned(tmp_path)] == ["dead", "rebooted"]


def test_ports_are_kept_until_somebody_else_takes_one(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    ports = recorded_ports(file, TemporalPorts)
    assert recorded_ports(file, TemporalPorts) == ports
    with socket.create_server(("127.0.0.1", ports["ui"])):
        assert not is_free(ports["ui"])
        replace_taken_ports(file)
    again = recorded_ports(file, TemporalPorts)
    assert again["ui"] != ports["ui"]
    assert {**again, "ui": 0} == {**ports, "ui": 0}


def test_chosen_ports_differ_and_lie_below_the_ephemeral_range() -> None:
    chosen = choose_ports(20)
    assert len(set(chosen)) == 20
    assert max(chosen) < 32768


def test_a_port_is_chosen_by_one_process_only(monkeypatch: pytest.MonkeyPatch) -> None:
    program = "from kraut_lab.ports import choose_ports; print(*choose_ports(5), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        theirs = [int(port) for port in other.stdout.readline().split()]
        assert all(map(is_free, theirs)), "chosen, and not used yet"
        drawn = [*theirs, *range(31000, 31200)]
        monkeypatch.setattr("kraut_lab.ports.random.sample", lambda *_: drawn)
        assert not set(choose_ports(5)) & set(theirs)
        other.stdin.close()
    assert set(choose_ports(5)) == set(theirs), "they are anybody's when that process is gone"


def test_no_linux_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(MissingRequirementError, match="this is darwin"):
        requirements.check_host_requirements()


def test_no_root_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(MissingRequirementError, match="run it as root, or use --hosts 0"):
        requirements.check_host_requirements()


def test_missing_packages_are_named_with_the_command_that_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(requirements, "is_installed", lambda program: program not in {"mmdebstrap", "nft"})
    with pytest.raises(MissingRequirementError, match="`apt-get install mmdebstrap nftables`"):
        requirements.check_host_requirements()
