"""What is installed, when, and how many hosts at once: policies, holds, windows, budgets, retries, deletion."""

from datetime import UTC, datetime, timedelta

import pytest

from kraut_lab.apt import DebPackage, postinst_fails_while, postinst_waits_for
from kraut_lab.faults.packagelock import package_lock_held

pytestmark = pytest.mark.lab

CONFIGURATION = "/etc/kraut-t/config.conf"


def give_updates(lab, machine, *packages):
    """Version 1.0 of each package on the machine, the given ones in the repository."""
    lab.apt_repository.publish(
        *(DebPackage(p.name, "1.0", security=p.security, conffiles=p.conffiles) for p in packages)
    )
    names = " ".join(f"{package.name}=1.0" for package in packages)
    machine.exec(f"apt-get update -qq && apt-get install -yqq --allow-downgrades {names} >/dev/null")
    machine.exec(": >/var/log/kraut-lab-maintainer.log; rm -f /run/reboot-required*")
    lab.apt_repository.publish(*packages)


def installed(machine):
    """What maintainer scripts recorded, without versions."""
    return [entry.package for entry in machine.maintainer_log()]


def test_security_installs_security_updates_only(desk, machine, lab):
    give_updates(lab, machine, DebPackage("kraut-t-plain", "1.1"), DebPackage("kraut-t-sec", "1.1", security=True))
    handle = desk.host(machine, operatingSystem={"updates": "Security"})
    host = handle.wait_up_to_date()
    assert installed(machine) == ["kraut-t-sec"]
    assert host["status"]["packages"]["pending"] == 1
    assert host["status"]["packages"]["security"] == 0

    handle.apply(operatingSystem={"updates": "All"})
    handle.wait_up_to_date()
    assert installed(machine) == ["kraut-t-sec", "kraut-t-plain"]


def test_held_packages_are_shown_and_never_touched(desk, machine, lab):
    give_updates(lab, machine, DebPackage("kraut-t-hold", "1.1"), DebPackage("kraut-t-free", "1.1"))
    machine.exec("apt-mark hold kraut-t-hold")
    host = desk.host(machine, operatingSystem={"updates": "All"}).wait_up_to_date()
    assert installed(machine) == ["kraut-t-free"]
    assert "kraut-t-hold" in host["status"]["packages"]["held"]
    machine.exec("apt-mark unhold kraut-t-hold")


def test_a_changed_configuration_file_stays_the_administrators(desk, machine, lab):
    package = DebPackage("kraut-t-conf", "1.1", conffiles={CONFIGURATION: "shipped with 1.1\n"})
    give_updates(lab, machine, package)
    machine.exec(f"echo mine >{CONFIGURATION}")
    desk.host(machine, operatingSystem={"updates": "All"}).wait_up_to_date()
    assert machine.exec(f"cat {CONFIGURATION}").stdout == "mine\n"
    assert installed(machine) == ["kraut-t-conf"]


@pytest.mark.fault(row=17, fault="broken dpkg", invariants=("I12",))
def test_an_interrupted_dpkg_is_repaired_first(desk, machine, lab):
    flag = "/run/kraut-t-broken"
    give_updates(lab, machine, DebPackage("kraut-t-broken", "1.1", postinst=postinst_fails_while(flag)))
    machine.exec(f"touch {flag}; apt-get update -qq; ! apt-get install -yqq kraut-t-broken >/dev/null 2>&1")
    machine.exec(f"rm {flag}")
    handle = desk.host(machine)
    host = handle.wait_current()
    assert host["status"]["packages"]["broken"] is True

    handle.apply(operatingSystem={"updates": "All"})
    host = handle.wait_up_to_date()
    assert not host["status"]["packages"]["broken"]
    assert installed(machine) == ["kraut-t-broken"]


@pytest.mark.parametrize(("policy", "reboots"), [("Never", False), ("Always", True)])
def test_the_reboot_policy_decides(desk, machine, lab, policy, reboots):
    package = DebPackage(f"kraut-t-{policy.lower()}", "1.1", requires_reboot=policy == "Never")
    give_updates(lab, machine, package)
    before = machine.boot_id
    handle = desk.host(machine, operatingSystem={"updates": "All", "rebootPolicy": policy})
    if reboots:
        handle.wait_up_to_date()
        assert machine.boot_id != before
        handle.request_and_wait()
        kinds = [operation["type"] for operation in handle.get()["status"]["operations"]]
        assert kinds == ["Reboot", "UpdatePackages"]
    else:
        handle.wait_condition("UpToDate", "False", "RebootRequired")
        host = handle.wait_current()
        assert host["status"]["rebootRequired"] is True
        assert host["status"]["rebootRequiredBy"] == [package.name]
        assert machine.boot_id == before


def test_nothing_starts_outside_the_window_and_work_starts_when_it_opens(desk, machine, lab):
    give_updates(lab, machine, DebPackage("kraut-t-window", "1.1"))
    now = datetime.now(UTC)
    far = now + timedelta(hours=5)
    closed = {"windows": [{"start": f"{far.minute} {far.hour} * * *", "duration": "1h"}]}
    handle = desk.host(machine, operatingSystem={"updates": "All"}, maintenance=closed)
    host = handle.wait_current()
    up_to_date = next(c for c in host["status"]["conditions"] if c["type"] == "UpToDate")
    assert up_to_date["reason"] == "WaitingForMaintenanceWindow"
    assert f"{far:%Y-%m-%dT%H:%M:00Z}" in up_to_date["message"]
    assert installed(machine) == []

    handle.apply(maintenance={"windows": [{"start": "* * * * *", "duration": "1h"}]})
    handle.wait_up_to_date()
    assert installed(machine) == ["kraut-t-window"]


def test_an_exclusion_wins_over_the_window(desk, machine, lab):
    give_updates(lab, machine, DebPackage("kraut-t-freeze", "1.1"))
    now = datetime.now(UTC)
    freeze = {
        "start": f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
        "end": f"{now + timedelta(hours=9):%Y-%m-%dT%H:%M:%SZ}",
    }
    handle = desk.host(machine, operatingSystem={"updates": "All"}, maintenance={"exclusions": [freeze]})
    handle.wait_condition("UpToDate", "False", "WaitingForMaintenanceWindow")
    assert installed(machine) == []


@pytest.mark.timeout(1800)
def test_hosts_that_share_a_policy_share_its_budget(desk, machines, lab, recording):
    for machine in machines:
        give_updates(lab, machine, DebPackage("kraut-t-budget", "1.1", requires_reboot=True))
    desk.policy("one", rollingUpdate={"maxUnavailable": 1})
    handles = [
        desk.host(machine, operatingSystem={"updates": "All"}, upgradePolicyRef={"name": "one"}) for machine in machines
    ]
    for handle in handles:
        handle.wait_up_to_date(seconds=900)  # one after the other

    spans = sorted(
        (operation["startTime"], operation["completionTime"], handle.name)
        for handle in handles
        for operation in handle.get()["status"]["operations"]
    )
    assert len(spans) == 2 * len(machines)
    busy_at_once = {}
    for version in recording.versions:
        name = version["metadata"]["name"]
        running = any(o["result"] == "Running" for o in (version.get("status") or {}).get("operations", []))
        busy_at_once[name] = running
        assert sum(busy_at_once.values()) <= 1, "two hosts of one policy were worked on at once"
    desk.wait_reservations("one", [])


def test_paused_finishes_what_runs_and_starts_nothing(desk, machine, lab):
    flag = "/run/kraut-t-go"
    give_updates(
        lab, machine, DebPackage("kraut-t-pause", "1.1", requires_reboot=True, postinst=postinst_waits_for(flag))
    )
    before = machine.boot_id
    handle = desk.host(machine, operatingSystem={"updates": "All"})
    handle.wait_operation("UpdatePackages", result="Running")

    handle.apply(paused=True)
    handle.wait(
        lambda host: host["status"].get("observedGeneration") == host["metadata"]["generation"],
        "an answer while it runs",
    )
    machine.exec(f"touch {flag}")

    host = handle.wait_operation("UpdatePackages", result="Succeeded")
    host = handle.wait_current()
    assert installed(machine) == ["kraut-t-pause"]
    assert [operation["type"] for operation in host["status"]["operations"]] == ["UpdatePackages"]
    assert machine.boot_id == before

    handle.apply(paused=False)
    handle.wait_up_to_date()
    assert machine.boot_id != before


def test_a_failed_update_is_retried_keeps_its_output_and_stops_at_the_limit(desk, machine, lab):
    flag = "/run/kraut-t-fail"
    give_updates(lab, machine, DebPackage("kraut-t-fail", "1.1", postinst=postinst_fails_while(flag)))
    machine.exec(f"touch {flag}")
    desk.policy("impatient", backoffLimit=1)
    handle = desk.host(machine, operatingSystem={"updates": "All"}, upgradePolicyRef={"name": "impatient"})

    host = handle.wait_condition("Stalled", "True", "BackoffLimitExceeded")
    failed = [operation for operation in host["status"]["operations"] if operation["result"] == "Failed"]
    assert len(failed) == 2
    selector = f"kraut.dev/kind=Host,kraut.dev/name={handle.name}"
    status, logs = desk.api.request("GET", f"/api/v1/namespaces/{desk.namespace}/configmaps?labelSelector={selector}")
    assert status == 200
    assert len(logs["items"]) == 2
    assert "told to fail" in logs["items"][0]["data"]["output"]
    assert installed(machine) == []

    machine.exec(f"rm {flag}")
    handle.request()
    handle.wait_up_to_date()
    assert installed(machine) == ["kraut-t-fail"]


def test_the_same_wish_is_carried_out_again_when_new_updates_appear(desk, machine, lab):
    give_updates(lab, machine, DebPackage("kraut-t-again", "1.1"))
    handle = desk.host(machine, operatingSystem={"updates": "All"})
    first = handle.wait_up_to_date()
    machine.exec("find /var/lib/kraut/apt -exec touch -d '40 days ago' {} +")

    lab.apt_repository.publish(DebPackage("kraut-t-again", "1.2"))
    handle.request()
    handle.wait(lambda host: len(host["status"]["operations"]) == 2, "a second operation")
    second = handle.wait_up_to_date()

    assert second["metadata"]["generation"] == first["metadata"]["generation"]
    assert [(e.package, e.version) for e in machine.maintainer_log()] == [
        ("kraut-t-again", "1.1"),
        ("kraut-t-again", "1.2"),
    ]
    ids = [operation["id"] for operation in second["status"]["operations"]]
    assert len(set(ids)) == 2


def test_deleting_a_host_removes_what_kraut_left_on_it(desk, machine, lab):
    give_updates(lab, machine, DebPackage("kraut-t-delete", "1.1"))
    handle = desk.host(machine, operatingSystem={"updates": "All"})
    handle.wait_up_to_date()
    assert machine.exec("ls /var/lib/kraut").stdout.split()

    handle.delete()
    handle.wait_gone()

    assert machine.exec("ls -d /var/lib/kraut 2>/dev/null || true").stdout == ""


def test_deleting_a_host_that_is_gone_does_not_hang(desk, machine):
    handle = desk.host(machine)
    handle.wait_current()
    machine.power_off()

    handle.delete()
    handle.wait_gone()

    assert "CleanupSkipped" in [event["reason"] for event in desk.events(handle.name)]


@pytest.mark.fault(row=17, fault="apt lock held", invariants=("I12",))
def test_an_update_window_of_a_busy_package_lock_waits_its_turn(desk, machine, lab):
    give_updates(lab, machine, DebPackage("kraut-t-lock", "1.1"))
    with package_lock_held(machine):
        handle = desk.host(machine, operatingSystem={"updates": "All"})
        handle.wait_operation("UpdatePackages", result="Running")
        assert installed(machine) == []
    handle.wait_up_to_date()
    assert installed(machine) == ["kraut-t-lock"]
