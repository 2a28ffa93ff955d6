"""Row 2: an operator that slept past its Lease, a Lease that vanishes, two that both believe they lead."""

import signal

import pytest

from kraut_lab.faults.signals import stopped
from kraut_lab.waiting import wait_until

pytestmark = pytest.mark.lab

LEASE = "/apis/coordination.k8s.io/v1/namespaces/kraut-system/leases/kraut-operator"
PATIENCE = 200


@pytest.fixture
def standby(kraut):
    """A second operator beside the shared one, which leads."""
    wait_until(lambda: holder(kraut) != "", "an operator to lead", timeout=PATIENCE)
    second = kraut.component("operator", instance="second")
    second.start(restart=True)
    yield second
    second.send(signal.SIGCONT)
    second.stop()
    shared = kraut.component("operator")
    shared.send(signal.SIGCONT)
    shared.wait_ready()


def holder(lab):
    """Who holds the Lease; "" when nobody does."""
    lease = lab.control_plane.admin.get(LEASE)
    return (lease or {}).get("spec", {}).get("holderIdentity") or ""


def wait_other(lab, than):
    wait_until(lambda: holder(lab) not in ("", than), "the other operator to lead", timeout=PATIENCE)


@pytest.mark.fault(row=2, fault="operator SIGSTOP past its Lease, then CONT", invariants=("I2", "I3", "I4"))
def test_an_operator_that_slept_past_its_lease_changes_nothing(desk, machine, lab, held_update, assert_kept, standby):
    update = held_update()
    handle = desk.host(machine)
    handle.wait_current()
    leader, first = lab.component("operator"), holder(lab)
    with stopped(leader) as process:
        handle.apply(operatingSystem={"updates": "All"})
        wait_other(lab, first)
        update.wait_configuring()
    # It wakes up with the change still to be told, and finds that it leads no more.
    wait_until(lambda: not process.is_alive(), "the operator that slept to end itself", timeout=PATIENCE)
    update.let_go_on()
    handle.wait_up_to_date()
    assert_kept(handle, update)


@pytest.mark.fault(row=2, fault="Lease deleted", invariants=("I2", "I3", "I4"))
def test_a_lease_that_vanishes_while_its_holder_stands_still_makes_no_second_effect(
    desk, machine, lab, held_update, assert_kept, standby
):
    """For a moment both believe that they lead, and both have the same change to tell."""
    update = held_update()
    handle = desk.host(machine)
    handle.wait_current()
    first = holder(lab)
    with stopped(lab.component("operator")) as process:
        lab.control_plane.admin.delete(LEASE)
        handle.apply(operatingSystem={"updates": "All"})
        wait_other(lab, first)
    wait_until(lambda: not process.is_alive(), "the former leader to end itself", timeout=PATIENCE)
    update.wait_configuring()
    update.let_go_on()
    handle.wait_up_to_date()
    assert_kept(handle, update)


@pytest.mark.fault(row=2, fault="two leaders", invariants=("I2", "I3", "I4"))
def test_two_operators_that_both_lead_wake_the_same_workflow_and_nothing_happens_twice(
    desk, machine, lab, held_update, assert_kept, kraut
):
    update = held_update()
    second = kraut.component("operator", instance="also-leads")
    second.start(env={"KRAUT_OPERATOR_LEADER_ELECTION": "false"})
    try:
        handle = desk.host(machine)
        handle.wait_current()
        handle.apply(operatingSystem={"updates": "All"})
        update.wait_configuring()
        for paused in (True, False, True, False):
            handle.apply(paused=paused)
        update.let_go_on()
        handle.wait_up_to_date()
    finally:
        second.stop()
    assert_kept(handle, update)
