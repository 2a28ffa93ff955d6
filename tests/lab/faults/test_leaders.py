"""Row 2: an operator that slept past its Lease, a Lease that vanishes, two that both believe they lead."""

import http.client
import signal
import urllib.request

import pytest

from kraut_lab.faults.signals import stopped
from kraut_lab.waiting import wait_for, wait_until

pytestmark = pytest.mark.lab

LEASE = "/apis/coordination.k8s.io/v1/namespaces/kraut-system/leases/kraut-operator"
PATIENCE = 200
LEADS = 'leader_election_master_status{name="kraut-operator"} 1'


@pytest.fixture
def standby(kraut):
    """A second operator beside the shared one, which leads at first: either ends itself when it stands still for too long."""
    shared, second = operators(kraut)
    wait_until(lambda: leads(shared), "the shared operator to lead", timeout=PATIENCE)
    second.start(restart=True)
    yield second
    second.send(signal.SIGCONT)
    second.stop()
    shared.send(signal.SIGCONT)
    shared.wait_ready()


def operators(lab):
    return lab.component("operator"), lab.component("operator", instance="second")


def leads(operator):
    """Whether it says so itself; False while it says nothing."""
    try:
        with urllib.request.urlopen(f"{operator.probe_url}/metrics", timeout=10) as answer:
            return LEADS in answer.read().decode()
    except (OSError, http.client.HTTPException):
        return False


def leader_of(lab):
    """The operator that leads now."""
    both = operators(lab)
    return wait_for(lambda: next(filter(leads, both), None), "an operator to lead", timeout=PATIENCE)


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
    leader, first = leader_of(lab), holder(lab)
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
    leader, first = leader_of(lab), holder(lab)
    with stopped(leader) as process:
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
