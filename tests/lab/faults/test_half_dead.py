"""Row 14: a host that lets nobody in for a while; kraut says so, starts nothing, and goes on by itself when it heals (I1)."""

import pytest

from kraut_lab.faults.sshd import crowded, mute

pytestmark = pytest.mark.lab


@pytest.mark.fault(row=14, fault="accepts TCP and says nothing", invariants=("I1", "I3", "I12"))
@pytest.mark.fault(row=14, fault="MaxStartups=2", invariants=("I1", "I3", "I12"))
@pytest.mark.parametrize("fault", [mute, crowded])
def test_a_host_that_lets_nobody_in_is_worked_on_when_it_does(desk, machine, held_update, assert_kept, fault):
    """Nobody asks for it: the worker's own tries find the host again."""
    update = held_update()
    handle = desk.host(machine)
    handle.wait_current()
    with fault(machine):
        handle.apply(operatingSystem={"updates": "All"})
        handle.wait_condition("Ready", "Unknown")
        assert update.operations() == []
    update.wait_configuring()
    update.let_go_on()
    handle.wait_up_to_date()
    assert_kept(handle, update)
