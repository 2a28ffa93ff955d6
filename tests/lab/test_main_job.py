"""The main job: a host from unknown to discovered to patched and rebooted, by nothing but writing YAML."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kraut_lab.apt import DebPackage
from kraut_lab.waiting import wait_until

pytestmark = pytest.mark.lab


def give_updates(lab, machine, *packages):
    """Install version 1.0 of each package on the machine and publish 1.1."""
    lab.apt_repository.publish(*(DebPackage(package.name, "1.0", security=package.security) for package in packages))
    names = " ".join(f"{package.name}=1.0" for package in packages)
    machine.exec(f"apt-get update -qq && apt-get install -yqq --allow-downgrades {names} >/dev/null")
    machine.exec(": >/var/log/kraut-lab-maintainer.log; rm -f /run/reboot-required*")
    lab.apt_repository.publish(*packages)


def test_discovery_is_read_only_and_says_what_the_host_is(desk, machine, lab):
    give_updates(
        lab, machine, DebPackage("kraut-t-found", "1.1"), DebPackage("kraut-t-found-sec", "1.1", security=True)
    )

    host = desk.host(machine).wait_current()

    status = host["status"]
    info = status["hostInfo"]
    assert info["machineID"] == machine.machine_id
    assert info["bootID"] == machine.boot_id
    assert info["osID"] == "debian"
    assert info["osVersion"] == "12"
    assert info["kernelVersion"] == machine.exec("uname -r").stdout.strip()
    assert status["capacity"]["cpu"] == int(machine.exec("nproc").stdout)
    assert status["packages"]["pending"] == 2
    assert status["packages"]["security"] == 1
    assert status["rebootRequired"] is False
    assert status.get("operations", []) == []
    assert machine.maintainer_log() == []
    columns = kubectl(lab, "get", "hosts.kraut.dev", "-n", desk.namespace).stdout
    assert "ADDRESS" in columns.splitlines()[0].split()
    assert machine.address in columns


def test_updates_are_installed_and_the_host_rebooted_once(desk, machine, lab, recording):
    give_updates(
        lab, machine, DebPackage("kraut-t-job", "1.1"), DebPackage("kraut-t-job-kernel", "1.1", requires_reboot=True)
    )
    handle = desk.host(machine)
    before = handle.wait_current()

    handle.apply(operatingSystem={"updates": "All"})
    after = handle.wait_up_to_date()

    assert sorted(effects_of(machine)) == [("kraut-t-job", "1.1"), ("kraut-t-job-kernel", "1.1")]
    assert after["status"]["hostInfo"]["bootID"] != before["status"]["hostInfo"]["bootID"]
    assert after["status"]["hostInfo"]["bootID"] == machine.boot_id
    assert [(o["type"], o["result"]) for o in after["status"]["operations"]] == [
        ("Reboot", "Succeeded"),
        ("UpdatePackages", "Succeeded"),
    ]
    # An Event is written after the status that it is of.
    told = {"Reachable", "UpdateStarted", "UpdateSucceeded", "RebootStarted", "RebootSucceeded"}
    wait_until(lambda: told <= {event["reason"] for event in desk.events(handle.name)}, f"all of the Events {told}")
    observed = [v["status"]["observedGeneration"] for v in recording.of(handle.name) if v.get("status")]
    assert observed == sorted(observed)


def test_a_gitops_loop_never_finds_a_difference(desk, machine, lab, tmp_path):
    give_updates(lab, machine, DebPackage("kraut-t-gitops", "1.1", requires_reboot=True))
    handle = desk.host(machine)
    manifest = tmp_path / "host.yaml"
    body = {
        "apiVersion": "kraut.dev/v1alpha1",
        "kind": "Host",
        "metadata": {"name": handle.name, "namespace": desk.namespace},
        "spec": {**handle.base, "operatingSystem": {"updates": "All"}},
    }
    manifest.write_text(yaml.safe_dump(body))
    sees_no_status = tmp_path / "desired-state-diff"
    sees_no_status.write_text(f"#!{sys.executable}\n{DESIRED_STATE_DIFF}")
    sees_no_status.chmod(0o755)
    apply = ("apply", "--server-side", "--field-manager=person", "-f", str(manifest))
    kubectl(lab, *apply)
    generation = handle.get()["metadata"]["generation"]

    for _ in range(200):
        assert difference(lab, manifest, by=sees_no_status) == ""
        kubectl(lab, *apply)
        host = handle.get()
        assert host["metadata"]["generation"] == generation
        if is_done(host):
            break

    assert is_done(handle.get())
    body["spec"]["operatingSystem"]["updates"] = "Security"
    manifest.write_text(yaml.safe_dump(body))
    assert "+    updates: Security" in difference(lab, manifest, by=sees_no_status)
    waited = kubectl(
        *(lab, "wait", "--for=condition=UpToDate", f"hosts.kraut.dev/{handle.name}"),
        *("-n", desk.namespace, "--timeout=180s"),
    )
    assert "condition met" in waited.stdout


DESIRED_STATE_DIFF = """
import difflib, pathlib, sys, yaml

def desired_state(folder):
    objects = [yaml.safe_load(file.read_text()) for file in sorted(pathlib.Path(folder).iterdir())]
    for body in objects:
        body.pop("status", None)
        del body["metadata"]["resourceVersion"]
    return yaml.safe_dump_all(objects).splitlines(keepends=True)

lines = list(difflib.unified_diff(*map(desired_state, sys.argv[1:3])))
sys.stdout.writelines(lines)
sys.exit(bool(lines))
"""
"""`kubectl diff` reads the object, then asks for a dry run: a status written in between is no difference that an apply would
make (a status subresource takes none), yet it would be shown, as the resourceVersion that came with it would."""


def difference(lab, manifest, *, by):
    """What applying the manifest would change, as a GitOps controller looks at it; "" for nothing."""
    run = kubectl(
        lab,
        *("diff", "--server-side", "--field-manager=person", "-f", str(manifest)),
        environment={"KUBECTL_EXTERNAL_DIFF": str(by)},
        check=False,
    )
    assert run.returncode in (0, 1), run.stderr
    return run.stdout


def is_done(host):
    said = {c["type"]: c["status"] for c in (host.get("status") or {}).get("conditions", [])}
    return said.get("UpToDate") == "True" and "Reconciling" not in said


def effects_of(machine):
    return [(entry.package, entry.version) for entry in machine.maintainer_log()]


def kubectl(lab, *arguments, check=True, environment=None):
    argv = [str(Path(sys.executable).with_name("kubectl")), "--kubeconfig", str(lab.control_plane.kubeconfig())]
    env = {**os.environ, **(environment or {})}
    return subprocess.run([*argv, *arguments], capture_output=True, text=True, check=check, env=env)
