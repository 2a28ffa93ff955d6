"""Rows 17, 18 and 21: no descriptors, no memory, no space, and a host that says too much."""

import contextlib
import signal

import pytest

from kraut_lab.faults.disk import full, read_only
from kraut_lab.faults.limits import descriptors, memory_cap, no_descriptors_left
from kraut_lab.waiting import wait_until

pytestmark = pytest.mark.lab

PATIENCE = 200
MIB = 1 << 20
LOUD = "/root/kraut-t-loud"
ROOM = 24 * MIB
"""Of an answer 4 MiB are kept at most; they take 10 MiB while they are read."""


def condition(host, type_):
    return next((c for c in host["status"]["conditions"] if c["type"] == type_), None)


def said_since(component, size):
    """What a component's log has grown by."""
    with component.log.open("rb") as log:
        log.seek(size)
        return log.read().decode(errors="replace")


@pytest.fixture
def worker(kraut):
    component = kraut.component("worker")
    component.wait_ready()
    yield component
    component.wait_ready()


@pytest.mark.fault(row=21, fault="EMFILE", invariants=("I1", "I3", "I10", "I12"))
def test_a_worker_without_descriptors_says_unknown_and_goes_on_when_it_has_some(
    desk, machine, lab, held_update, assert_kept, worker
):
    update = held_update()
    handle = desk.host(machine)
    handle.wait_current()
    process, before, heard = worker.process, descriptors(worker), worker.log.stat().st_size
    with no_descriptors_left(worker):
        machine.exec("pkill -f '^sshd: kraut' || true")
        handle.apply(operatingSystem={"updates": "All"})
        # Whether there is a connection left by which to say so is a matter of luck.
        update.wait_attempts(handle.workflow_id, "assess_host", 1)
        wait_until(lambda: "Too many open files" in said_since(worker, heard), "EMFILE", timeout=PATIENCE)
        assert condition(handle.get(), "Stalled") is None
        assert update.operations() == []
    update.wait_configuring()
    update.let_go_on()
    handle.wait_up_to_date()
    assert worker.process == process
    assert descriptors(worker) <= before + 8
    assert_kept(handle, update)


@pytest.mark.fault(row=21, fault="EMFILE", invariants=("I1", "I3"))
def test_an_operator_without_descriptors_ends_itself_and_the_next_one_goes_on(
    desk, machine, lab, held_update, assert_kept, kraut
):
    """Its watches are cut, and it can open no new ones: it cannot renew its Lease either."""
    update = held_update()
    handle = desk.host(machine)
    handle.wait_current()
    operator = kraut.component("operator")
    process = operator.process
    with no_descriptors_left(operator):
        lab.control_plane.apiserver.kill(signal.SIGKILL)
        lab.control_plane.start()
        handle.apply(operatingSystem={"updates": "All"})
        wait_until(lambda: not process.is_alive(), "the operator to end itself", timeout=PATIENCE)
    update.wait_configuring()
    update.let_go_on()
    handle.wait_up_to_date()
    operator.wait_ready()
    assert_kept(handle, update)


@contextlib.contextmanager
def loud(machine):
    """Asked what it is, the machine answers with a gibibyte."""
    machine.exec(f"truncate -s 1G {LOUD} && mount --bind {LOUD} /usr/lib/os-release")
    try:
        yield
    finally:
        machine.exec(f"umount --lazy /usr/lib/os-release; rm {LOUD}")


@pytest.mark.fault(row=18, fault="1 GiB on stdout", invariants=("I10", "I12"))
@pytest.mark.fault(row=21, fault="memory cap", invariants=("I10",))
def test_a_gibibyte_of_output_needs_no_more_memory_than_any_other_answer(desk, machine, lab, worker):
    process = worker.process
    with loud(machine), memory_cap(worker, f"{lab.names.cgroup}/memory", more=ROOM) as cap:
        handle = desk.host(machine, operatingSystem={"updates": "All"})
        host = handle.wait_condition("Ready", "Unknown", "OutputIncomplete")
        assert cap.kills == 0
        assert cap.used < ROOM
    assert worker.process == process
    assert condition(host, "UpToDate")["status"] == "Unknown"
    assert host["status"].get("operations", []) == []


@pytest.mark.fault(row=21, fault="memory cap", invariants=("I1", "I3"))
def test_a_worker_that_is_killed_for_want_of_memory_loses_nothing(desk, machine, lab, held_update, assert_kept, worker):
    update = held_update()
    handle = desk.host(machine, operatingSystem={"updates": "All"})
    update.wait_configuring()
    process = worker.process
    # Not a byte: what an earlier answer took is free, and enough for this one.
    with loud(machine), memory_cap(worker, f"{lab.names.cgroup}/memory", more=0) as cap:
        handle.request()
        wait_until(lambda: not process.is_alive(), "the kernel to kill the worker", timeout=PATIENCE)
        assert cap.kills > 0
    update.let_go_on()
    handle.wait_up_to_date()
    assert_kept(handle, update)


@pytest.mark.fault(row=17, fault="ENOSPC", invariants=("I6", "I12"))
@pytest.mark.fault(row=17, fault="read-only file system", invariants=("I6", "I12"))
@pytest.mark.parametrize(("fault", "folder"), [(full, "/var/cache/apt"), (read_only, "/usr")])
def test_a_host_that_takes_nothing_more_fails_is_unchanged_and_heals(
    desk, machine, lab, held_update, assert_kept, fault, folder
):
    """I6: the place in the budget is given back at once, since nothing was changed: the disk of one host does not stop the others."""
    update = held_update()
    desk.policy("one", rollingUpdate={"maxUnavailable": 1})
    handle = desk.host(machine, upgradePolicyRef={"name": "one"})
    handle.wait_current()
    with fault(machine, folder):
        handle.apply(operatingSystem={"updates": "All"})
        host = handle.wait_operation("UpdatePackages", result="Failed")
        assert condition(host, "UpToDate")["status"] == "False"
        assert update.effects() == []
        desk.wait_reservations("one", [])
    handle.request()
    update.wait_configuring()
    update.let_go_on()
    handle.wait_up_to_date()
    desk.wait_reservations("one", [])
    assert_kept(handle, update, done=(("UpdatePackages", "Succeeded"), ("UpdatePackages", "Failed")))
