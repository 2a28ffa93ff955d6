"""Work that cannot begin, does not end, or changes its owner in the middle: each is said, and nothing is guessed."""

import pytest

from kraut_lab.faults import recordings
from kraut_lab.faults.packagelock import package_lock_held

pytestmark = pytest.mark.lab

# A target of this name that pulls in nothing: systemd accepts the reboot, and nothing comes of it.
NO_REBOOT = "/etc/systemd/system/reboot.target"
NO_CLAIM = "/usr/local/bin/mkdir"
FAILS_FOR_CLAIMS = '#!/bin/sh\\ncase "$*" in */claim) exit 1 ;; esac\\nexec /bin/mkdir "$@"\\n'


def operations(host):
    """(type, result), newest first."""
    return [(o["type"], o["result"]) for o in (host.get("status") or {}).get("operations", [])]


def stalled(host):
    return next(c["message"] for c in host["status"]["conditions"] if c["type"] == "Stalled")


@pytest.mark.fault(row=16, fault="reboot accepted and never done", invariants=("I1", "I5", "I12", "U10"))
def test_a_reboot_that_never_happens_is_a_failure_and_says_so(desk, machines, held_update):
    """I5: with one place for both hosts, the other's work does not overlap with it."""
    machine, other = machines[:2]
    update, later = (held_update("kraut-t-held", on=each, requires_reboot=True) for each in (machine, other))
    update.let_go_on()
    later.let_go_on()
    before = machine.boot_id
    machine.exec(f"printf '[Unit]\\nDescription=nothing\\n' >{NO_REBOOT}; systemctl daemon-reload")
    try:
        rolling = {"rollingUpdate": {"maxUnavailable": 1}}
        desk.policy("strict", backoffLimit=0, progressDeadlineSeconds=30, **rolling)
        strict = {"operatingSystem": {"updates": "All"}, "upgradePolicyRef": {"name": "strict"}}
        handle = desk.host(machine, **strict)
        handle.wait_operation("Reboot", result="Running")
        waiting = desk.host(other, **strict)
        waiting.wait_condition("Reconciling", "True", "WaitingForBudget")
        host = handle.wait_condition("Stalled", "True", "BackoffLimitExceeded")
        assert operations(host) == [("Reboot", "Failed"), ("UpdatePackages", "Succeeded")]
        assert f"still runs boot {before}" in stalled(host)
        assert "console" in stalled(host)
        assert machine.boot_id == before
    finally:
        machine.exec(f"rm -f {NO_REBOOT}; systemctl daemon-reload")

    desk.policy("strict", backoffLimit=0, progressDeadlineSeconds=600, **rolling)
    handle.request()
    host = handle.wait_up_to_date()
    assert operations(host)[0] == ("Reboot", "Succeeded")
    assert host["status"]["hostInfo"]["bootID"] == machine.boot_id != before
    assert update.effects() == [(update.name, "1.1")]
    waiting.wait_up_to_date()
    assert recordings.overlapping([*update.operations(), *later.operations()]) == []


@pytest.mark.fault(row=17, fault="apt lock held", invariants=("I6", "I12"))
def test_a_lock_that_is_held_keeps_the_place_no_longer_than_the_work(desk, machine, held_update):
    """I6: the place in the budget is given back when what waited for the lock is done."""
    update = held_update()
    update.let_go_on()
    desk.policy("one", rollingUpdate={"maxUnavailable": 1})
    with package_lock_held(machine):
        handle = desk.host(machine, operatingSystem={"updates": "All"}, upgradePolicyRef={"name": "one"})
        handle.wait_operation("UpdatePackages", result="Running")
        desk.wait_reservations("one", [handle.name])
        assert update.effects() == []
    host = handle.wait_up_to_date()
    assert operations(host) == [("UpdatePackages", "Succeeded")]
    assert update.effects() == [(update.name, "1.1")]
    desk.wait_reservations("one", [])


@pytest.mark.fault(row=17, fault="the unit cannot begin", invariants=("I1", "I3", "I6", "I12"))
def test_an_operation_that_never_begins_is_told_and_tried_again(desk, machine, held_update):
    update = held_update()
    update.let_go_on()
    machine.exec(f"printf '{FAILS_FOR_CLAIMS}' >{NO_CLAIM} && chmod 755 {NO_CLAIM}")
    try:
        desk.policy("one", rollingUpdate={"maxUnavailable": 1})
        handle = desk.host(machine, operatingSystem={"updates": "All"}, upgradePolicyRef={"name": "one"})
        host = handle.wait_condition("Reconciling", "True", "BackingOff")
        lost = host["status"]["operations"][0]
        assert (lost["result"], lost["message"].partition(":")[0]) == ("Lost", "it never started on the host")
        assert "is /var/lib/kraut full, or read-only?" in lost["message"]
        assert update.effects() == []
    finally:
        machine.exec(f"rm -f {NO_CLAIM}")

    host = handle.wait_up_to_date()
    assert operations(host)[0] == ("UpdatePackages", "Succeeded")
    assert update.effects() == [(update.name, "1.1")]
    desk.wait_reservations("one", [])


@pytest.mark.fault(row=20, fault="object deleted and recreated in mid operation", invariants=("I3", "I5"))
def test_a_host_created_again_in_mid_operation_has_its_place_before_anybody_else(desk, machines, held_update, lab):
    """I5: the operation goes on under the new uid, so the new uid holds the place; the next host waits for it."""
    machine, other = machines[:2]
    update = held_update()
    desk.policy("one", rollingUpdate={"maxUnavailable": 1})
    shared = {"upgradePolicyRef": {"name": "one"}, "operatingSystem": {"updates": "All"}}
    handle = desk.host(machine, **shared)
    update.wait_configuring()

    machine.network.partition("reject")
    handle.delete()
    handle.wait_gone()
    machine.network.heal()
    handle.apply()
    again = handle.wait_operation("UpdatePackages", result="Running")
    desk.wait_reservations("one", [handle.name])
    waiting = desk.host(other, **shared)
    waiting.wait(lambda host: (host.get("status") or {}).get("observedGeneration"), "the other to be looked at")
    assert operations(waiting.get()) == []

    update.let_go_on()
    host = handle.wait_up_to_date()
    assert host["metadata"]["uid"] == again["metadata"]["uid"]
    assert update.effects() == [(update.name, "1.1")]
    waiting.wait_up_to_date()
    desk.wait_reservations("one", [])


def test_a_host_that_comes_under_a_policy_in_mid_operation_takes_a_place(desk, machine, held_update):
    update = held_update()
    desk.policy("late", rollingUpdate={"maxUnavailable": 1})
    handle = desk.host(machine, operatingSystem={"updates": "All"})
    update.wait_configuring()
    handle.apply(upgradePolicyRef={"name": "late"})
    desk.wait_reservations("late", [handle.name])
    update.let_go_on()
    handle.wait_up_to_date()
    desk.wait_reservations("late", [])
