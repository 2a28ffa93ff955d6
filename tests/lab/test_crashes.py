"""Processes killed, connections cut, hosts that vanish or come back as others: nothing runs twice, nothing is guessed.

The sweep (tests/lab/sweep) kills at every boundary; here are the moments that no boundary marks, and the faults of the host.
"""

import signal

import pytest

from kraut_lab.faults import recordings
from kraut_lab.waiting import wait_until

pytestmark = pytest.mark.lab

REBOOTED = (("Reboot", "Succeeded"), ("UpdatePackages", "Succeeded"))


def operations(host):
    """(type, result), newest first."""
    return [(o["type"], o["result"]) for o in (host.get("status") or {}).get("operations", [])]


def condition(host, type_):
    return next((c for c in host["status"]["conditions"] if c["type"] == type_), None)


@pytest.fixture
def worker(kraut):
    """The worker that is restarted whenever it ends."""
    component = kraut.component("worker")
    component.wait_ready()
    yield component
    component.send(signal.SIGCONT)
    component.wait_ready()


@pytest.mark.fault(row=8, fault="worker SIGKILL at each activity boundary", invariants=("I3", "I4", "I5", "I6", "U14"))
def test_worker_killed_while_a_package_is_configured_finds_the_operation_again(
    desk, machines, worker, held_update, assert_kept
):
    """U14: the operation is adopted, and the next host of the budget is not disrupted meanwhile."""
    machine, other = machines[:2]
    update, later = (held_update("kraut-t-kill", on=each) for each in (machine, other))
    desk.policy("one", rollingUpdate={"maxUnavailable": 1})
    handle = desk.host(machine, upgradePolicyRef={"name": "one"}, operatingSystem={"updates": "All"})
    update.wait_configuring()
    waiting = desk.host(other, upgradePolicyRef={"name": "one"}, operatingSystem={"updates": "All"})
    waiting.wait_condition("Reconciling", "True", "WaitingForBudget")

    worker.kill(signal.SIGKILL)
    worker.wait_ready()
    waiting.request()
    waiting.wait(lambda found: found["status"].get("lastHandledRequest"), "the request to be seen")
    assert operations(waiting.get()) == []
    assert later.folders() == []
    update.let_go_on()
    later.let_go_on()
    handle.wait_up_to_date()
    waiting.wait_up_to_date()

    assert_kept(handle, update)
    assert_kept(waiting, later)
    assert recordings.overlapping([*update.operations(), *later.operations()]) == []


@pytest.mark.fault(row=8, fault="worker SIGKILL at each activity boundary", invariants=("I3", "I4"))
def test_worker_killed_between_update_and_reboot_reboots_once(desk, machine, worker, held_update, assert_kept):
    update = held_update("kraut-t-between", requires_reboot=True)
    handle = desk.host(machine, operatingSystem={"updates": "All"})
    update.wait_configuring()

    worker.send(signal.SIGSTOP)
    update.let_go_on()
    update.wait_result()
    assert update.witnessed().boots == 0
    worker.kill(signal.SIGKILL)
    handle.wait_up_to_date()
    assert_kept(handle, update, done=REBOOTED)


@pytest.mark.fault(row=8, fault="worker SIGKILL at each activity boundary", invariants=("I3", "I4"))
def test_worker_killed_while_the_host_is_down_sees_it_come_back(desk, machine, worker, held_update, assert_kept):
    update = held_update("kraut-t-down", requires_reboot=True)
    update.let_go_on()
    machine.break_boot()
    handle = desk.host(machine, operatingSystem={"updates": "All"})
    wait_until(lambda: machine.pid is None, "the host to go down", timeout=300)

    worker.kill(signal.SIGKILL)
    worker.wait_ready()
    machine.power_on()
    handle.wait_up_to_date()
    assert_kept(handle, update, done=REBOOTED)


@pytest.mark.fault(row=1, fault="operator SIGKILL at every dispatch boundary", invariants=("I1", "I2", "I3", "I4"))
def test_operator_killed_before_its_dispatch_loses_nothing(desk, machine, lab, held_update, assert_kept):
    update = held_update("kraut-t-dispatch")
    update.let_go_on()
    handle = desk.host(machine)
    handle.wait_current()
    operator = lab.component("operator")

    operator.send(signal.SIGSTOP)
    handle.apply(operatingSystem={"updates": "All"})
    operator.kill(signal.SIGKILL)
    handle.wait_up_to_date()
    assert_kept(handle, update)


@pytest.mark.fault(row=10, fault="Temporal SIGKILL", invariants=("I1", "I3", "I4"))
def test_temporal_killed_in_the_middle_of_an_update_loses_nothing(desk, machine, lab, held_update, assert_kept):
    update = held_update("kraut-t-temporal")
    handle = desk.host(machine, operatingSystem={"updates": "All"})
    update.wait_configuring()

    lab.temporal.daemon.kill(signal.SIGKILL)
    update.let_go_on()
    update.wait_result()
    lab.temporal.start()
    handle.wait_up_to_date()
    assert_kept(handle, update)


@pytest.mark.fault(row=13, fault="SSH cut in mid output", invariants=("I3", "I4", "I5", "I12"))
@pytest.mark.parametrize("how", ["drop", "reject"])
def test_a_cut_in_the_middle_of_an_update_is_unknown_and_heals(desk, machines, held_update, assert_kept, how):
    """U15, I12: neither success nor failure, and the next host of the budget waits."""
    machine, other = machines[:2]
    update, later = (held_update("kraut-t-cut", on=each) for each in (machine, other))
    desk.policy("one", rollingUpdate={"maxUnavailable": 1})
    handle = desk.host(machine, upgradePolicyRef={"name": "one"}, operatingSystem={"updates": "All"})
    update.wait_configuring()
    waiting = desk.host(other, upgradePolicyRef={"name": "one"}, operatingSystem={"updates": "All"})
    waiting.wait_condition("Reconciling", "True", "WaitingForBudget")

    machine.network.partition(how)
    handle.request()
    host = handle.wait_condition("Ready", "Unknown")
    waiting.request()
    waiting.wait(lambda found: found["status"].get("lastHandledRequest"), "the request to be seen")

    assert operations(host) == [("UpdatePackages", "Running")]
    assert condition(host, "Stalled") is None
    assert later.effects() == []
    assert operations(waiting.get()) == []

    machine.network.heal()
    update.let_go_on()
    handle.wait_up_to_date()
    later.let_go_on()
    waiting.wait_up_to_date()
    assert_kept(handle, update)
    assert_kept(waiting, later)
    assert recordings.overlapping([*update.operations(), *later.operations()]) == []


@pytest.mark.fault(row=9, fault="worker SIGSTOP past its heartbeat, then CONT", invariants=("I3", "I4"))
def test_a_worker_that_was_stopped_and_goes_on_does_nothing_twice(desk, machine, lab, worker, held_update, assert_kept):
    """Row 9: another worker has taken over when it wakes up."""
    update = held_update("kraut-t-stopped", requires_reboot=True)
    handle = desk.host(machine, operatingSystem={"updates": "All"})
    update.wait_configuring()
    update.wait_attempts(handle.workflow_id, "run_operation", 1)

    worker.send(signal.SIGSTOP)
    second = lab.component("worker", instance="second")
    second.start()
    try:
        update.wait_attempts(handle.workflow_id, "run_operation", 2)
        update.let_go_on()
        worker.send(signal.SIGCONT)
        handle.wait_up_to_date()
        assert_kept(handle, update, done=REBOOTED)
        handle.request_and_wait()
    finally:
        second.stop()
    assert_kept(handle, update, done=REBOOTED)


@pytest.mark.fault(row=20, fault="object deleted and recreated in mid operation", invariants=("I1", "I3", "I4", "I11"))
def test_a_host_deleted_in_the_middle_of_an_update_goes_when_the_update_has_ended(
    desk, machine, held_update, assert_once
):
    update = held_update("kraut-t-delete")
    handle = desk.host(machine, operatingSystem={"updates": "All"})
    update.wait_configuring()

    handle.delete()
    handle.wait(lambda host: host["metadata"].get("deletionTimestamp"), "the deletion to begin")
    began = update.folders()
    assert len(began) == 1
    update.let_go_on()
    handle.wait_gone()
    assert machine.exec("ls -d /var/lib/kraut", check=False).returncode != 0

    handle.apply()
    host = handle.wait_up_to_date()
    assert operations(host) == []
    assert assert_once(update).operations == set(began)


@pytest.mark.fault(row=20, fault="object deleted and recreated in mid operation", invariants=("I1", "I3", "I4", "I11"))
def test_a_host_created_again_in_the_middle_of_its_update_adopts_it(desk, machine, held_update, assert_kept):
    """Row 20: the object is gone, since its machine could not be asked; the machine works on."""
    update = held_update("kraut-t-again", requires_reboot=True)
    handle = desk.host(machine, operatingSystem={"updates": "All"})
    update.wait_configuring()
    first = update.folders()

    machine.network.partition("reject")
    handle.delete()
    handle.wait_gone()
    machine.network.heal()
    handle.apply()
    handle.wait_operation("UpdatePackages", result="Running")
    assert update.folders() == first
    update.let_go_on()
    handle.wait_up_to_date()
    assert_kept(handle, update, done=REBOOTED)


@pytest.mark.fault(row=16, fault="host never returns", invariants=("I3", "I5", "I12", "U15"))
def test_a_host_that_does_not_come_back_is_unknown_and_keeps_its_place(desk, machines, held_update, assert_kept):
    machine, other = machines[:2]
    update, later = (held_update("kraut-t-lost", on=each, requires_reboot=True) for each in (machine, other))
    update.let_go_on()
    later.let_go_on()
    policy = "one"
    desk.policy(policy, rollingUpdate={"maxUnavailable": 1}, progressDeadlineSeconds=30)
    machine.break_boot()
    handle = desk.host(machine, upgradePolicyRef={"name": policy}, operatingSystem={"updates": "All"})
    wait_until(lambda: machine.pid is None, "the host to go down", timeout=300)
    waiting = desk.host(other, upgradePolicyRef={"name": policy}, operatingSystem={"updates": "All"})
    waiting.wait_condition("Reconciling", "True", "WaitingForBudget")

    host = handle.wait_condition("Stalled", "True", "HostDidNotReturn")
    assert condition(host, "Ready")["status"] == "Unknown"
    assert "console" in condition(host, "Ready")["message"]
    assert operations(host)[0] == ("Reboot", "Unknown")
    assert [r["uid"] for r in reservations(desk, policy)] == [host["metadata"]["uid"]]
    waiting.request()
    waiting.wait(lambda found: found["status"].get("lastHandledRequest"), "the request to be seen")
    assert operations(waiting.get()) == []

    desk.policy(policy, rollingUpdate={"maxUnavailable": 1}, progressDeadlineSeconds=600)
    machine.power_on()
    handle.request()  # else kraut looks within a minute
    handle.wait_up_to_date()
    waiting.wait_up_to_date()
    wait_until(lambda: reservations(desk, policy) == [], "the budget to be free")
    assert_kept(handle, update, done=REBOOTED)
    assert_kept(waiting, later, done=REBOOTED)
    assert recordings.overlapping([*update.operations(), *later.operations()]) == []


def reservations(desk, policy):
    path = f"/apis/kraut.dev/v1alpha1/namespaces/{desk.namespace}/upgradepolicies/{policy}"
    return (desk.api.request("GET", path)[1].get("status") or {}).get("reservations", [])


def end_sessions(machine):
    """End every SSH session of the host, so that the next command needs a new connection."""
    machine.exec("pkill -f '^sshd: kraut' || true")


def journal(machine, text):
    """How many lines of sshd's and sudo's journal hold the text, under whatever machine id."""
    machine.exec("journalctl --sync")
    return machine.exec(
        f"journalctl --merge --no-pager -o cat -t sshd -t sudo | grep -c '{text}' || true"
    ).stdout.strip()


@pytest.mark.fault(row=15, fault="host key changed", invariants=("I3", "I4", "U16"))
def test_a_host_whose_key_changed_gets_no_command(desk, machine, held_update, assert_kept):
    """U16, with the host's own journal as the witness."""
    update = held_update("kraut-t-rekeyed")
    update.let_go_on()
    handle = desk.host(machine)
    handle.wait_current()
    key = "/etc/ssh/ssh_host_ed25519_key"
    machine.exec(
        f"cp -a {key} /root/key; cp -a {key}.pub /root/key.pub; rm {key}; ssh-keygen -q -t ed25519 -N '' -f {key}"
    )
    machine.exec("systemctl restart ssh")
    end_sessions(machine)
    accepted, commands = journal(machine, "Accepted"), journal(machine, "COMMAND=")

    try:
        handle.apply(operatingSystem={"updates": "All"})
        host = handle.wait_condition("Stalled", "True", "HostKeyMismatch")
        assert condition(host, "Ready")["status"] == "False"
        assert journal(machine, "Accepted") == accepted
        assert journal(machine, "COMMAND=") == commands
        assert update.effects() == []
        assert operations(host) == []
    finally:
        machine.exec(f"mv /root/key {key}; mv /root/key.pub {key}.pub; systemctl restart ssh")
        machine.wait_answers()

    handle.request()
    handle.wait_up_to_date()
    assert_kept(handle, update)


@pytest.mark.fault(row=15, fault="machine id changed", invariants=("I3", "I4", "U16"))
def test_another_machine_behind_the_address_gets_no_further_command(desk, machine, held_update, assert_kept):
    """U16: its machine id is read, and nothing else is done."""
    update = held_update("kraut-t-swapped")
    update.let_go_on()
    handle = desk.host(machine)
    handle.wait_current()
    machine.exec("cp -a /etc/machine-id /root/machine-id; tr a-f0-9 0-9a-f </root/machine-id >/etc/machine-id")
    end_sessions(machine)
    commands = journal(machine, "COMMAND=")

    try:
        handle.apply(operatingSystem={"updates": "All"})
        host = handle.wait_condition("Stalled", "True", "MachineIdentityChanged")
        assert machine.machine_id in condition(host, "Stalled")["message"]
        assert int(journal(machine, "COMMAND=")) == int(commands) + 1
        assert update.effects() == []
        assert operations(host) == []
    finally:
        machine.exec("cat /root/machine-id >/etc/machine-id; rm /root/machine-id")

    handle.request()
    handle.wait_up_to_date()
    assert_kept(handle, update)
