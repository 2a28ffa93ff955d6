"""A login is not the end of a reboot: until systemd has started all of the host, the next one does not follow (U10)."""

import contextlib

import pytest

from kraut_lab.faults import recordings

pytestmark = pytest.mark.lab

UNIT = "/etc/systemd/system/kraut-t-slow.service"
WANTED = "/etc/systemd/system/multi-user.target.wants/kraut-t-slow.service"
READY = "/run/kraut-t-ready"
SLOW = f"""printf '[Service]\\nType=oneshot\\nExecStart=/bin/sh -c "until [ -e {READY} ]; do sleep 0.1; done"\\n' >{UNIT}
ln -s {UNIT} {WANTED}"""


@contextlib.contextmanager
def slow_boot(machine):
    """From its next boot on, a service of the machine gets ready when it is told to."""
    machine.exec(SLOW)
    try:
        yield
    finally:
        machine.exec(f"touch {READY}; rm -f {UNIT} {WANTED}; systemctl daemon-reload")


def test_a_host_that_is_still_starting_keeps_its_place(desk, machines, held_update):
    machine, other = machines[:2]
    update, later = (held_update("kraut-t-held", on=each, requires_reboot=True) for each in (machine, other))
    update.let_go_on()
    later.let_go_on()
    desk.policy("one", rollingUpdate={"maxUnavailable": 1})
    shared = {"operatingSystem": {"updates": "All"}, "upgradePolicyRef": {"name": "one"}}
    with slow_boot(machine):
        handle = desk.host(machine, **shared)
        handle.wait_operation("Reboot", result="Running")
        waiting = desk.host(other, **shared)
        handle.wait_operation("Reboot", result="Succeeded")
        handle.wait_condition("Reconciling", "True", "Stabilizing")
        handle.wait_condition("Ready", "Unknown", "Rebooting")
        waiting.wait_condition("Reconciling", "True", "WaitingForBudget")
        desk.wait_reservations("one", [machine.name])
        assert later.operations() == []
    handle.wait_up_to_date()
    waiting.wait_up_to_date()
    assert recordings.overlapping([*update.operations(), *later.operations()]) == []
