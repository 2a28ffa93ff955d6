"""Processes killed, connections cut, hosts that vanish or come back as others: nothing runs twice, nothing is guessed.

The sweep (tests/lab/sweep) kills at every boundary; here are the moments that no boundary marks, and the faults of the host.
"""

import signal

import pytest

from kraut_lab.apt import DebPackage, postinst_waits_for
from kraut_lab.waiting import wait_until

pytestmark = pytest.mark.lab

GO_ON = "/run/kraut-lab-go-on"
HEARTBEAT_SECONDS = 30.0


def give_update(lab, machine, name, **fields):
    """Version 1.0 on the machine, 1.1 in the repository; its postinst waits until the test lets it go on."""
    update = DebPackage(name, "1.1", postinst=postinst_waits_for(GO_ON), **fields)
    machine.exec(f"touch {GO_ON}")
    lab.apt_repository.publish(DebPackage(name, "1.0"))
    machine.exec(f"apt-get update -qq && apt-get install -yqq --allow-downgrades {name}=1.0 >/dev/null")
    machine.exec(f"rm -f {GO_ON} /run/reboot-required*; : >/var/log/kraut-lab-maintainer.log")
    lab.apt_repository.publish(update)


def wait_configuring(machine, name):
    """Until the package's postinst runs, which then waits for `let_go_on`."""
    # The brackets keep the pattern from matching the shell that runs it.
    probe = f"pgrep -f '[k]{name[1:]}.postinst configure'"
    wait_until(lambda: machine.exec(probe, check=False).returncode == 0, f"{name} to be configured")


def let_go_on(machine):
    machine.exec(f"touch {GO_ON}")


def wait_result(machine):
    """Until an operation's unit has written its result on the host."""
    wait_until(lambda: bool(folders(machine, "result")), "an operation to end on the host")


def folders(machine, part=""):
    """Ids of the operations on the host, of those that have this part."""
    found = machine.exec(f"cd /var/lib/kraut/ops 2>/dev/null && ls -d */{part} || true").stdout.split()
    return sorted(line.split("/")[0] for line in found)


def configured(machine):
    return [(entry.package, entry.version) for entry in machine.maintainer_log()]


def operations(host):
    """(type, result), newest first."""
    return [(o["type"], o["result"]) for o in (host.get("status") or {}).get("operations", [])]


def ids(host):
    return sorted(o["id"] for o in host["status"]["operations"])


def condition(host, type_):
    return next((c for c in host["status"]["conditions"] if c["type"] == type_), None)


def attempts(lab, desk, handle, activity):
    """How often the pending activity of this type was started; 0 when none is pending."""
    path = "/api/v1/namespaces/kube-system"
    home = desk.api.request("GET", path)[1]["metadata"]["uid"]
    described = lab.temporal.describe_workflow(f"{home}/Host/{desk.namespace}/{handle.name}")
    pending = described.get("pendingActivities") or []
    return next((int(a.get("attempt", 1)) for a in pending if a["activityType"]["name"] == activity), 0)


@pytest.fixture(autouse=True)
def nothing_is_left_waiting(desk, kraut):
    """Whatever became of the test: the hosts' packages are configured to the end, and deletions find them free."""
    yield
    for host in kraut.hosts:
        host.network.heal()
        host.power_on()
        let_go_on(host)


@pytest.fixture
def worker(kraut):
    """The worker that is restarted whenever it ends."""
    component = kraut.component("worker")
    component.wait_ready()
    yield component
    component.send(signal.SIGCONT)
    component.wait_ready()


@pytest.mark.fault(row=8, fault="worker SIGKILL at each activity boundary", invariants=("I3", "I6", "U14"))
def test_worker_killed_while_a_package_is_configured_finds_the_operation_again(desk, machines, lab, worker):
    """U14: the operation is adopted, and the next host of the budget is not disrupted meanwhile."""
    machine, other = machines[:2]
    for each in (machine, other):
        give_update(lab, each, "kraut-t-kill")
    desk.policy("one", rollingUpdate={"maxUnavailable": 1})
    handle = desk.host(machine, upgradePolicyRef={"name": "one"}, operatingSystem={"updates": "All"})
    wait_configuring(machine, "kraut-t-kill")
    waiting = desk.host(other, upgradePolicyRef={"name": "one"}, operatingSystem={"updates": "All"})
    waiting.wait_condition("Reconciling", "True", "WaitingForBudget")

    worker.kill(signal.SIGKILL)
    worker.wait_ready()
    waiting.request()
    waiting.wait(lambda found: found["status"].get("lastHandledRequest"), "the request to be seen")
    assert operations(waiting.get()) == []
    assert folders(other) == []
    let_go_on(machine)
    let_go_on(other)
    host = handle.wait_up_to_date()
    waiting.wait_up_to_date()

    assert configured(machine) == configured(other) == [("kraut-t-kill", "1.1")]
    assert operations(host) == operations(waiting.get()) == [("UpdatePackages", "Succeeded")]
    assert folders(machine) == folders(machine, "claim") == ids(host)


@pytest.mark.fault(row=8, fault="worker SIGKILL at each activity boundary", invariants=("I3",))
def test_worker_killed_between_update_and_reboot_reboots_once(desk, machine, lab, worker):
    give_update(lab, machine, "kraut-t-between", requires_reboot=True)
    before = machine.boot_id
    handle = desk.host(machine, operatingSystem={"updates": "All"})
    wait_configuring(machine, "kraut-t-between")

    worker.send(signal.SIGSTOP)
    let_go_on(machine)
    wait_result(machine)
    assert machine.boot_id == before
    worker.kill(signal.SIGKILL)
    host = handle.wait_up_to_date()

    assert configured(machine) == [("kraut-t-between", "1.1")]
    assert operations(host) == [("Reboot", "Succeeded"), ("UpdatePackages", "Succeeded")]
    assert host["status"]["hostInfo"]["bootID"] == machine.boot_id != before
    assert folders(machine) == ids(host)


@pytest.mark.fault(row=8, fault="worker SIGKILL at each activity boundary", invariants=("I3",))
def test_worker_killed_while_the_host_is_down_sees_it_come_back(desk, machine, lab, worker):
    give_update(lab, machine, "kraut-t-down", requires_reboot=True)
    let_go_on(machine)
    machine.break_boot()
    handle = desk.host(machine, operatingSystem={"updates": "All"})
    wait_until(lambda: machine.pid is None, "the host to go down")

    worker.kill(signal.SIGKILL)
    worker.wait_ready()
    machine.power_on()
    host = handle.wait_up_to_date()

    assert configured(machine) == [("kraut-t-down", "1.1")]
    assert operations(host) == [("Reboot", "Succeeded"), ("UpdatePackages", "Succeeded")]
    assert host["status"]["hostInfo"]["bootID"] == machine.boot_id
    assert folders(machine) == ids(host)


@pytest.mark.fault(row=1, fault="operator SIGKILL at every dispatch boundary", invariants=("I1", "I2"))
def test_operator_killed_before_its_dispatch_loses_nothing(desk, machine, lab):
    give_update(lab, machine, "kraut-t-dispatch")
    let_go_on(machine)
    handle = desk.host(machine)
    handle.wait_current()
    operator = lab.component("operator")

    operator.send(signal.SIGSTOP)
    handle.apply(operatingSystem={"updates": "All"})
    operator.kill(signal.SIGKILL)
    host = handle.wait_up_to_date()

    assert configured(machine) == [("kraut-t-dispatch", "1.1")]
    assert operations(host) == [("UpdatePackages", "Succeeded")]


@pytest.mark.fault(row=10, fault="Temporal SIGKILL", invariants=("I1", "I3"))
def test_temporal_killed_in_the_middle_of_an_update_loses_nothing(desk, machine, lab):
    give_update(lab, machine, "kraut-t-temporal")
    handle = desk.host(machine, operatingSystem={"updates": "All"})
    wait_configuring(machine, "kraut-t-temporal")

    lab.temporal.daemon.kill(signal.SIGKILL)
    let_go_on(machine)
    wait_result(machine)
    lab.temporal.start()
    host = handle.wait_up_to_date()

    assert configured(machine) == [("kraut-t-temporal", "1.1")]
    assert operations(host) == [("UpdatePackages", "Succeeded")]
    assert folders(machine) == ids(host)


@pytest.mark.fault(row=13, fault="SSH cut in mid output", invariants=("I3", "I12"))
@pytest.mark.parametrize("how", ["drop", "reject"])
def test_a_cut_in_the_middle_of_an_update_is_unknown_and_heals(desk, machines, lab, how):
    """U15, I12: neither success nor failure, and the next host of the budget waits."""
    machine, other = machines[:2]
    for each in (machine, other):
        give_update(lab, each, "kraut-t-cut")
    desk.policy("one", rollingUpdate={"maxUnavailable": 1})
    handle = desk.host(machine, upgradePolicyRef={"name": "one"}, operatingSystem={"updates": "All"})
    wait_configuring(machine, "kraut-t-cut")
    waiting = desk.host(other, upgradePolicyRef={"name": "one"}, operatingSystem={"updates": "All"})
    waiting.wait_condition("Reconciling", "True", "WaitingForBudget")

    machine.network.partition(how)
    handle.request()
    host = handle.wait_condition("Ready", "Unknown")
    waiting.request()
    waiting.wait(lambda found: found["status"].get("lastHandledRequest"), "the request to be seen")

    assert operations(host) == [("UpdatePackages", "Running")]
    assert condition(host, "Stalled") is None
    assert configured(other) == []
    assert operations(waiting.get()) == []

    machine.network.heal()
    let_go_on(machine)
    host = handle.wait_up_to_date()
    let_go_on(other)
    waiting.wait_up_to_date()

    assert configured(machine) == configured(other) == [("kraut-t-cut", "1.1")]
    assert operations(host) == [("UpdatePackages", "Succeeded")]
    assert folders(machine) == ids(host)


@pytest.mark.fault(row=9, fault="worker SIGSTOP past its heartbeat, then CONT", invariants=("I3", "I4"))
def test_a_worker_that_was_stopped_and_goes_on_does_nothing_twice(desk, machine, lab, worker):
    """Row 9: another worker has taken over when it wakes up."""
    give_update(lab, machine, "kraut-t-stopped", requires_reboot=True)
    handle = desk.host(machine, operatingSystem={"updates": "All"})
    wait_configuring(machine, "kraut-t-stopped")
    wait_until(lambda: attempts(lab, desk, handle, "run_operation") == 1, "the operation to be attended")

    worker.send(signal.SIGSTOP)
    second = lab.component("worker", instance="second")
    second.start()
    try:
        wait_until(
            lambda: attempts(lab, desk, handle, "run_operation") > 1,
            "another worker to take over",
            timeout=2 * HEARTBEAT_SECONDS,
        )
        let_go_on(machine)
        worker.send(signal.SIGCONT)
        host = handle.wait_up_to_date()
        handle.request_and_wait()
    finally:
        second.stop()

    assert configured(machine) == [("kraut-t-stopped", "1.1")]
    assert operations(handle.get()) == operations(host) == [("Reboot", "Succeeded"), ("UpdatePackages", "Succeeded")]
    assert folders(machine) == folders(machine, "claim") == ids(host)


def test_a_host_deleted_in_the_middle_of_an_update_goes_when_the_update_has_ended(desk, machine, lab):
    give_update(lab, machine, "kraut-t-delete")
    handle = desk.host(machine, operatingSystem={"updates": "All"})
    wait_configuring(machine, "kraut-t-delete")

    handle.delete()
    handle.wait(lambda host: host["metadata"].get("deletionTimestamp"), "the deletion to begin")
    assert folders(machine) != []
    let_go_on(machine)
    handle.wait_gone()
    assert machine.exec("ls -d /var/lib/kraut", check=False).returncode != 0

    handle.apply()
    host = handle.wait_up_to_date()
    assert configured(machine) == [("kraut-t-delete", "1.1")]
    assert operations(host) == []


@pytest.mark.fault(row=20, fault="object deleted and recreated in mid operation", invariants=("I1", "I3", "I11"))
def test_a_host_created_again_in_the_middle_of_its_update_adopts_it(desk, machine, lab):
    """Row 20: the object is gone, since its machine could not be asked; the machine works on."""
    give_update(lab, machine, "kraut-t-again", requires_reboot=True)
    handle = desk.host(machine, operatingSystem={"updates": "All"})
    wait_configuring(machine, "kraut-t-again")
    first = folders(machine)

    machine.network.partition("reject")
    handle.delete()
    handle.wait_gone()
    machine.network.heal()
    handle.apply()
    handle.wait_operation("UpdatePackages", result="Running")
    assert folders(machine) == first
    let_go_on(machine)
    host = handle.wait_up_to_date()

    assert configured(machine) == [("kraut-t-again", "1.1")]
    assert operations(host) == [("Reboot", "Succeeded"), ("UpdatePackages", "Succeeded")]
    assert folders(machine) == ids(host)


@pytest.mark.fault(row=16, fault="host never returns", invariants=("I5", "I12", "U15"))
def test_a_host_that_does_not_come_back_is_unknown_and_keeps_its_place(desk, machines, lab):
    machine, other = machines[:2]
    for each in (machine, other):
        give_update(lab, each, "kraut-t-lost", requires_reboot=True)
        let_go_on(each)
    policy = "one"
    desk.policy(policy, rollingUpdate={"maxUnavailable": 1}, progressDeadlineSeconds=30)
    machine.break_boot()
    handle = desk.host(machine, upgradePolicyRef={"name": policy}, operatingSystem={"updates": "All"})
    wait_until(lambda: machine.pid is None, "the host to go down")
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

    machine.power_on()
    handle.request()  # else kraut looks within a minute
    host = handle.wait_up_to_date()
    assert operations(host) == [("Reboot", "Succeeded"), ("UpdatePackages", "Succeeded")]
    assert configured(machine) == [("kraut-t-lost", "1.1")]
    waiting.wait_up_to_date()
    wait_until(lambda: reservations(desk, policy) == [], "the budget to be free")


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


@pytest.mark.fault(row=15, fault="host key changed", invariants=("U16",))
def test_a_host_whose_key_changed_gets_no_command(desk, machine, lab):
    """U16, with the host's own journal as the witness."""
    give_update(lab, machine, "kraut-t-rekeyed")
    let_go_on(machine)
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
        assert configured(machine) == []
        assert operations(host) == []
    finally:
        machine.exec(f"mv /root/key {key}; mv /root/key.pub {key}.pub; systemctl restart ssh")
        machine.wait_answers()

    handle.request()
    handle.wait_up_to_date()
    assert configured(machine) == [("kraut-t-rekeyed", "1.1")]


@pytest.mark.fault(row=15, fault="machine id changed", invariants=("U16",))
def test_another_machine_behind_the_address_gets_no_further_command(desk, machine, lab):
    """U16: its machine id is read, and nothing else is done."""
    give_update(lab, machine, "kraut-t-swapped")
    let_go_on(machine)
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
        assert configured(machine) == []
        assert operations(host) == []
    finally:
        machine.exec("cat /root/machine-id >/etc/machine-id; rm /root/machine-id")

    handle.request()
    handle.wait_up_to_date()
    assert configured(machine) == [("kraut-t-swapped", "1.1")]
