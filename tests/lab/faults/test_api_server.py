"""Rows 3, 7 and 20: the API server's store stands still or is full, others write its objects, and objects and rights vanish."""

import signal
import threading
import time

import pytest

from kraut_lab.faults import recordings
from kraut_lab.faults.etcd import quota_exhausted
from kraut_lab.faults.objects import BINDINGS, DEFINITIONS, without
from kraut_lab.faults.signals import stopped
from kraut_lab.waiting import wait_until

pytestmark = pytest.mark.lab

HOSTS = "hosts.kraut.dev"
PATIENCE = 200
MERGE = "application/merge-patch+json"


def operations(host):
    return [(o["type"], o["result"]) for o in (host.get("status") or {}).get("operations", [])]


@pytest.mark.fault(row=3, fault="etcd SIGSTOP 10 s", invariants=("I1", "I2", "I3", "I9"))
def test_etcd_that_stands_still_in_the_middle_of_an_update(desk, machine, lab, held_update, assert_kept):
    update = held_update()
    handle = desk.host(machine, operatingSystem={"updates": "All"})
    update.wait_configuring()
    with stopped(lab.control_plane.etcd):
        until = time.monotonic() + 10
        update.let_go_on()
        update.wait_result()
        wait_until(lambda: time.monotonic() > until, "ten seconds to pass")
    handle.apply(operatingSystem={"updates": "All", "rebootPolicy": "Never"})
    handle.wait_up_to_date()
    assert_kept(handle, update)


@pytest.mark.fault(row=3, fault="etcd quota exhausted", invariants=("I1", "I2", "I3", "I9"))
def test_etcd_without_space_in_the_middle_of_an_update(desk, machine, lab, held_update, assert_kept):
    """Healed as etcd's guide says: compacted, defragmented, disarmed."""
    update = held_update()
    handle = desk.host(machine, operatingSystem={"updates": "All"})
    update.wait_configuring()
    with quota_exhausted(lab.control_plane):
        update.let_go_on()
        update.wait_result()
        body = {"metadata": {"labels": {"anything": "new"}}}
        status, answer = desk.api.request("PATCH", handle.path, body, MERGE)
        assert (status, "space exceeded" in answer["message"]) == (500, True)
        update.wait_attempts(handle.workflow_id, "assess_host", 2)
        assert operations(handle.get()) == [("UpdatePackages", "Running")]
    handle.apply(operatingSystem={"updates": "All", "rebootPolicy": "Never"})
    handle.wait_up_to_date()
    assert_kept(handle, update)


class Rogue:
    """Somebody who writes statuses that are not theirs: old ones, wrong ones, again and again."""

    def __init__(self, api, path, foreign):
        self.writes = 0
        self._api = api
        self._path = path
        self._foreign = foreign
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write_on, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join(60)
        self._api.close()

    def _write_on(self):
        while not self._over.is_set():
            wrong = {"observedGeneration": 1, "lastHandledRequest": f"rogue-{self.writes}"}
            if self.writes % 3 == 0:
                wrong |= {"hostInfo": None, "conditions": None}
            status, written = self._api.request("PATCH", f"{self._path}/status", {"status": wrong}, MERGE)
            assert status == 200, written
            self._foreign.add(written["metadata"]["resourceVersion"])
            self.writes += 1
            self._over.wait(0.05)


@pytest.mark.fault(row=7, fault="conflicting status writer", invariants=("I1", "I2", "I3", "I9"))
def test_somebody_else_who_writes_the_status_is_overcome_when_they_stop(
    desk, machine, lab, held_update, assert_kept, recording
):
    update = held_update()
    handle = desk.host(machine)
    handle.wait_current()
    api = type(desk.api)(lab.control_plane.kubeconfig())
    with Rogue(api, handle.path, recording.foreign) as rogue:
        handle.apply(operatingSystem={"updates": "All"})
        wait_until(lambda: rogue.writes > 20, "the status to be written by another", timeout=PATIENCE)
        handle.apply(operatingSystem={"updates": "All", "rebootPolicy": "Never"})
        wait_until(lambda: rogue.writes > 60, "the status to be written by another", timeout=PATIENCE)
    handle.request()
    update.wait_configuring()
    with Rogue(type(desk.api)(lab.control_plane.kubeconfig()), handle.path, recording.foreign) as rogue:
        update.let_go_on()
        update.wait_result()
        wait_until(lambda: rogue.writes > 20, "the status to be written by another", timeout=PATIENCE)
    handle.request()
    handle.wait_up_to_date()
    assert_kept(handle, update)


@pytest.mark.fault(row=20, fault="worker's RBAC removed and restored", invariants=("I1", "I2", "I3", "I11"))
@pytest.mark.fault(row=6, fault="403 then healed", invariants=("I1",))
def test_a_worker_without_rights_in_the_middle_of_an_update(desk, machine, lab, held_update, assert_kept, recording):
    update = held_update()
    handle = desk.host(machine, operatingSystem={"updates": "All"})
    update.wait_configuring()
    with without(lab.control_plane, BINDINGS, "kraut-worker"):
        handle.apply(operatingSystem={"updates": "All", "rebootPolicy": "Never"})
        update.let_go_on()
        update.wait_result()
        update.wait_attempts(handle.workflow_id, "assess_host", 2)
        assert operations(handle.get()) == [("UpdatePackages", "Running")]
    handle.wait_up_to_date()
    assert_kept(handle, update)
    with without(lab.control_plane, BINDINGS, "kraut-worker"):
        handle.delete()
        update.wait_attempts(handle.workflow_id, "assess_host", 2)
        assert handle.get() is not None
    handle.wait_gone()
    recording.wait_deleted(handle.name)
    assert deletions(recording) == [handle.name]


@pytest.mark.fault(row=20, fault="operator's RBAC removed and restored", invariants=("I1", "I2", "I3", "I11"))
def test_an_operator_without_rights_in_the_middle_of_an_update(
    desk, machine, lab, held_update, assert_kept, recording, kraut
):
    """What changes meanwhile, and the deletion after it, are told when it may watch again."""
    operator = kraut.component("operator")
    update = held_update()
    handle = desk.host(machine, operatingSystem={"updates": "All"})
    update.wait_configuring()
    with without(lab.control_plane, BINDINGS, "kraut-operator"):
        lab.control_plane.apiserver.kill(signal.SIGKILL)  # what is being watched was allowed when it began
        lab.control_plane.start()
        wait_until(lambda: not operator.is_ready(), "the operator to say so", timeout=PATIENCE)
        handle.apply(operatingSystem={"updates": "All", "rebootPolicy": "Never"})
        update.let_go_on()
        update.wait_result()
    handle.wait_up_to_date()
    assert_kept(handle, update)
    with without(lab.control_plane, BINDINGS, "kraut-operator"):
        handle.delete()
    handle.wait_gone()
    operator.wait_ready()
    recording.wait_deleted(handle.name)
    assert deletions(recording) == [handle.name]


def deletions(recording):
    """Names of the Hosts whose end was told, one for each time; nothing was heard of any of them afterwards."""
    assert recordings.deleted_twice(recording.events) == []
    return [found["metadata"]["name"] for kind, found in recording.events if kind == "DELETED"]


@pytest.mark.fault(row=20, fault="CRD removed and restored", invariants=("I1", "I3", "I11"))
def test_the_definition_of_hosts_is_deleted_in_the_middle_of_an_update_and_comes_back(
    desk, machine, lab, held_update, recording, kraut
):
    """All Hosts go with it, each in good order; created again, they are as before."""
    plane = lab.control_plane
    update = held_update()
    handle = desk.host(machine, operatingSystem={"updates": "All"})
    update.wait_configuring()
    plane.admin.delete(f"{DEFINITIONS}/{HOSTS}")
    handle.wait(lambda host: host["metadata"].get("deletionTimestamp"), "the deletion to begin")
    assert len(update.operations()) == 1
    update.let_go_on()
    with without(plane, DEFINITIONS, HOSTS):
        assert machine.exec("ls -d /var/lib/kraut", check=False).returncode != 0
        wait_until(lambda: not kraut.component("operator").is_ready(), "the operator to say so", timeout=PATIENCE)

    collection = handle.path.rpartition("/")[0]
    wait_until(lambda: desk.api.request("GET", collection)[0] == 200, "Hosts to be served", timeout=PATIENCE)
    handle.apply()
    host = handle.wait_up_to_date()
    assert operations(host) == []
    assert update.effects() == [(update.name, "1.1")]
    recording.wait_deleted(handle.name)
    assert [
        kind for kind, found in recording.events if kind == "DELETED" and found["metadata"]["name"] == handle.name
    ] == ["DELETED"]
    kraut.component("operator").wait_ready()
