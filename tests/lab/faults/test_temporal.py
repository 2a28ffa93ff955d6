"""Row 10: Temporal is out of reach for operator and worker, or refuses them, in the middle of an update."""

import time

import pytest

from kraut_lab.faults.network import TcpFaults
from kraut_lab.waiting import wait_until

PATIENCE = 200
MINUTE = 60.0


@pytest.fixture
def temporal(kraut, others_instead):
    """A network between Temporal and kraut's processes that can fail."""
    with TcpFaults.in_front_of(kraut.temporal.address) as faults:
        env = {name: {"KRAUT_TEMPORAL_ADDRESS": faults.address} for name in ("operator", "worker")}
        with others_instead(*(kraut.component(name, instance="cut-off") for name in env), env=env):
            yield faults


def pass_by(desk, handle, update, fault, wait):
    """An update begins, the fault comes, the update ends on its host, the person wants something else, the fault heals."""
    handle.apply(operatingSystem={"updates": "All"})
    update.wait_configuring()
    with fault:
        update.let_go_on()
        update.wait_result()
        handle.apply(operatingSystem={"updates": "All", "rebootPolicy": "Never"})
        wait()
        assert [o["result"] for o in handle.get()["status"]["operations"]] == ["Running"]
    handle.wait_up_to_date(seconds=PATIENCE)


def wait_seconds(seconds):
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > until, f"{seconds:.0f} s to pass", timeout=2 * seconds)


@pytest.mark.lab
@pytest.mark.fault(row=10, fault="Temporal partitioned for long", invariants=("I1", "I2", "I3", "I4"))
def test_a_partition_until_the_worker_is_given_up_for_lost(desk, machine, lab, temporal, held_update, assert_kept):
    update = held_update()
    handle = desk.host(machine)
    handle.wait_current()
    until_lost = lambda: update.wait_attempts(handle.workflow_id, "run_operation", 2)  # noqa: E731
    pass_by(desk, handle, update, temporal.partition(), until_lost)
    assert_kept(handle, update)


@pytest.mark.lab
@pytest.mark.fault(row=10, fault="polls refused", invariants=("I1", "I2", "I3"))
def test_connections_refused_until_both_say_so(desk, machine, lab, temporal, held_update, assert_kept):
    update = held_update()
    handle = desk.host(machine)
    handle.wait_current()
    log = lab.component("operator", instance="cut-off").log
    heard = log.stat().st_size
    said = lambda: "Temporal does not take signals" in log.read_bytes()[heard:].decode()  # noqa: E731
    until_said = lambda: wait_until(said, "the operator to say so", timeout=PATIENCE)  # noqa: E731
    pass_by(desk, handle, update, temporal.refuse(), until_said)
    assert_kept(handle, update)


@pytest.mark.sweep
@pytest.mark.timeout(1800)
@pytest.mark.fault(row=10, fault="Temporal partitioned for long", invariants=("I1", "I2", "I3", "I4"))
def test_a_partition_of_fifteen_minutes(desk, machine, temporal, held_update, assert_kept):
    update = held_update()
    handle = desk.host(machine)
    handle.wait_current()
    pass_by(desk, handle, update, temporal.partition(), lambda: wait_seconds(15 * MINUTE))
    assert_kept(handle, update)


@pytest.mark.sweep
@pytest.mark.timeout(900)
@pytest.mark.fault(row=10, fault="polls refused", invariants=("I1", "I2", "I3"))
def test_polls_refused_for_longer_than_a_worker_bears(desk, machine, temporal, lab, held_update, assert_kept):
    """After about a minute of failed polls the process ends, and a fresh one takes its place."""
    update = held_update()
    handle = desk.host(machine)
    handle.wait_current()
    pass_by(desk, handle, update, temporal.refuse(), lambda: wait_seconds(4 * MINUTE))
    assert_kept(handle, update)
