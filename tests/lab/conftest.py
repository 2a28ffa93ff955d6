"""A lab with operator and worker, and a person's desk in front of it.

Everything here talks to the API server with a plain HTTP client and to the hosts on their consoles: what is checked shares
no code with what checks it.
"""

import base64
import itertools
import time
from datetime import UTC, datetime

import pytest

from kraut_lab.faults import recordings
from kraut_lab.faults.heldupdate import HeldUpdate
from kraut_lab.faults.recorder import Recorder
from kraut_lab.hosts.witness import INSTALL

HOSTS = "/apis/kraut.dev/v1alpha1/namespaces/{namespace}/hosts"
POLICIES = "/apis/kraut.dev/v1alpha1/namespaces/{namespace}/upgradepolicies"
SECRET = "ssh"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"

_numbers = itertools.count(1)

DEADLINE = 300.0
"""Seconds after which something hangs, on the slowest of machines; never a judgement of speed."""


@pytest.fixture(scope="session")
def kraut(lab):
    """The lab with kraut's processes running, restarted whenever they end, as a Deployment does."""
    for name in ("operator", "worker"):
        lab.start_component(name, restart=True)
    return lab


@pytest.fixture
def desk(kraut, admin, namespace, request):
    """A person's desk: a namespace with a Secret that opens the lab's hosts."""
    desk = Desk(kraut, admin, namespace, request.node.name)
    desk.secret(SECRET, **{"ssh-privatekey": kraut.ssh.private_key.read_bytes()})
    with desk.recorder.running():
        yield desk
        desk.clear()
    desk.recorder.assert_conformance()


@pytest.fixture
def machine(kraut):
    """The first host of the lab, in good order and left so."""
    host = kraut.hosts[0]
    prepare(host)
    yield host
    host.network.heal()
    host.power_on()


@pytest.fixture
def machines(kraut):
    """All hosts of the lab, in good order and left so."""
    for host in kraut.hosts:
        prepare(host)
    yield kraut.hosts
    for host in kraut.hosts:
        host.network.heal()
        host.power_on()


@pytest.fixture
def prepared():
    """``prepared(host)``: the host, as if no test had used it before."""

    def made(host):
        prepare(host)
        return host

    return made


PREPARE = """
for unit in $(systemctl list-units --plain --no-legend 'kraut-*' | cut -d ' ' -f 1); do
  case $unit in kraut-*-*-*-*-*.service) systemctl kill --signal=KILL "$unit" ;; *) systemctl stop "$unit" ;; esac
  while systemctl is-active --quiet "$unit"; do sleep 0.1; done
done
set -e
export DEBIAN_FRONTEND=noninteractive
left=$(dpkg-query -W -f '${Package}\\n' 'kraut-t-*' 2>/dev/null) || true
[ -z "$left" ] || dpkg --purge --force-all $left >/dev/null
dpkg --configure -a >/dev/null
apt-get -yqq update
apt-get -yqq upgrade >/dev/null
apt-get clean
rm -rf /var/lib/kraut /run/kraut-t-* /run/reboot-required*
: >/var/log/kraut-lab-maintainer.log
"""
"""What an earlier test left, half done even, must not become the business of the next."""


def prepare(host):
    """Nothing runs, nothing is pending, no reboot is due, kraut was never there, and what happens is witnessed from now on."""
    host.network.heal()
    host.power_on()
    host.exec(PREPARE + INSTALL)


class Desk:
    """What a person does with kubectl, and what a person looks at."""

    def __init__(self, lab, api, namespace, title):
        self.lab = lab
        self.api = api
        self.namespace = namespace
        self.title = title
        self.recorder = Recorder(HOSTS.format(namespace=namespace), lab.control_plane.kubeconfig())
        self._names = []

    def secret(self, name, **data):
        """Create or replace a Secret."""
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name},
            "data": {key.replace("_", "-"): base64.b64encode(value).decode() for key, value in data.items()},
        }
        path = f"/api/v1/namespaces/{self.namespace}/secrets/{name}?fieldManager=person&force=true"
        return self._sent("PATCH", path, body, APPLY)

    def policy(self, name, **spec):
        """Apply an UpgradePolicy."""
        body = {"apiVersion": "kraut.dev/v1alpha1", "kind": "UpgradePolicy", "metadata": {"name": name}, "spec": spec}
        path = f"{POLICIES.format(namespace=self.namespace)}/{name}"
        return self._sent("PATCH", f"{path}?fieldManager=person&force=true", body, APPLY)

    def wait_reservations(self, policy, names, *, seconds=DEADLINE):
        """Wait until exactly these hosts hold a place in the budget of a policy."""
        path = f"{POLICIES.format(namespace=self.namespace)}/{policy}"
        deadline = time.monotonic() + seconds
        while True:
            held = [held["name"] for held in (self._sent("GET", path).get("status") or {}).get("reservations", [])]
            if held == names:
                return
            assert time.monotonic() < deadline, f"places held in {policy}: expected {names}, found {held}"
            time.sleep(0.1)

    def host(self, machine, *, name=None, **spec):
        """Apply a Host for a machine of the lab; keyword arguments replace fields of its spec."""
        handle = HostHandle(self, name or machine.name)
        self._names.append(handle.name)
        handle.base = {
            "address": machine.address,
            "port": machine.port,
            "user": machine.user,
            "hostKeys": [machine.host_key],
            "credentialsRef": {"name": SECRET},
        }
        handle.apply(**spec)
        return handle

    def events(self, name):
        """Events of an object, oldest first."""
        path = f"/apis/events.k8s.io/v1/namespaces/{self.namespace}/events"
        events = self._sent("GET", path)["items"]
        return sorted((e for e in events if e["regarding"]["name"] == name), key=lambda event: event["eventTime"])

    def clear(self):
        """Delete every Host, and wait until they are gone."""
        for name in self._names:
            handle = HostHandle(self, name)
            handle.delete()
        for name in self._names:
            HostHandle(self, name).wait_gone()

    def _sent(self, method, path, body=None, content_type="application/json"):
        status, answer = self.api.request(method, path, body, content_type)
        assert status < 300, answer
        return answer


class HostHandle:
    """One Host object."""

    def __init__(self, desk, name):
        self.desk = desk
        self.name = name
        self.base = {}
        self.path = f"{HOSTS.format(namespace=desk.namespace)}/{name}"

    def apply(self, **spec):
        """Server-side apply the whole spec, as GitOps does; None removes a field."""
        merged = {key: value for key, value in {**self.base, **spec}.items() if value is not None}
        self.base = merged
        body = {
            "apiVersion": "kraut.dev/v1alpha1",
            "kind": "Host",
            "metadata": {"name": self.name},
            "spec": merged,
        }
        return self.desk._sent("PATCH", f"{self.path}?fieldManager=person&force=true", body, APPLY)

    @property
    def workflow_id(self):
        """Of the Host's workflow; the home id is the uid of kube-system."""
        home = self.desk._sent("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"]
        return f"{home}/Host/{self.desk.namespace}/{self.name}"

    def get(self):
        """The object; None when there is none."""
        status, answer = self.desk.api.request("GET", self.path)
        if status == 404:
            return None
        assert status == 200, answer
        return answer

    def wait(self, predicate, what, *, seconds=DEADLINE):
        """Wait until the predicate holds for the object, and return it."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.get()
            if found is not None and predicate(found):
                return found
            if time.monotonic() > deadline:
                pytest.fail(f"{self.name}: waited {seconds} s for {what}; it is {describe(found)}")
            time.sleep(0.1)

    def wait_current(self, *, seconds=DEADLINE):
        """Wait until kraut has answered this generation and is at rest (kstatus: Current or Failed)."""
        return self.wait(is_at_rest, "kraut to be at rest", seconds=seconds)

    def wait_condition(self, type_, status, reason=None, *, seconds=DEADLINE):
        """Wait for a condition of this generation."""
        what = f"{type_}={status} {reason or ''}"
        return self.wait(lambda host: answered(host) and has(host, type_, status, reason), what, seconds=seconds)

    def wait_up_to_date(self, *, seconds=DEADLINE):
        """Wait until nothing is left to do."""
        return self.wait(lambda host: is_at_rest(host) and has(host, "UpToDate", "True"), "UpToDate", seconds=seconds)

    def wait_operation(self, type_, *, result=None, seconds=DEADLINE):
        """Wait until an operation of a type is in the status, with that result if one is given."""

        def found(host):
            return any(
                operation["type"] == type_ and (result is None or operation["result"] == result)
                for operation in operations(host)
            )

        return self.wait(found, f"an operation {type_} {result or ''}", seconds=seconds)

    def request(self):
        """Annotate: reconcile or retry now."""
        value = f"{datetime.now(UTC).isoformat()}-{next(_numbers)}"
        body = {"metadata": {"annotations": {"kraut.dev/requested-at": value}}}
        self.desk._sent("PATCH", f"{self.path}?fieldManager=person", body, MERGE)
        return value

    def request_and_wait(self, *, seconds=DEADLINE):
        """Ask for a look, and wait for its end."""
        value = self.request()
        return self.wait(
            lambda host: host.get("status", {}).get("lastHandledRequest") == value and is_at_rest(host),
            "the request to be handled",
            seconds=seconds,
        )

    def delete(self):
        """Delete; gone already is fine."""
        status, answer = self.desk.api.request("DELETE", self.path)
        assert status in (200, 202, 404), answer

    def wait_gone(self, *, seconds=DEADLINE):
        """Wait until the object is gone."""
        deadline = time.monotonic() + seconds
        while self.get() is not None:
            assert time.monotonic() < deadline, (
                f"{self.name} was not deleted within {seconds} s: {describe(self.get())}"
            )
            time.sleep(0.1)


def conditions(host):
    """Type -> condition."""
    return {condition["type"]: condition for condition in (host.get("status") or {}).get("conditions", [])}


def operations(host):
    """Newest first."""
    return (host.get("status") or {}).get("operations", [])


def has(host, type_, status, reason=None):
    """Whether a condition says so."""
    condition = conditions(host).get(type_)
    return condition is not None and condition["status"] == status and (reason is None or condition["reason"] == reason)


def answered(host):
    """Whether the status is of this generation."""
    return (host.get("status") or {}).get("observedGeneration") == host["metadata"]["generation"]


def is_at_rest(host):
    """kstatus: Current or Failed."""
    return answered(host) and "Reconciling" not in conditions(host)


def describe(host):
    """The part of an object that a failed test needs to show."""
    if host is None:
        return "absent"
    status = host.get("status") or {}
    said = [f"{c['type']}={c['status']} {c['reason']}: {c['message']}" for c in status.get("conditions", [])]
    done = [f"{o['type']} {o['result']} {o.get('exitCode', '')} {o.get('message', '')}" for o in operations(host)]
    return f"generation {host['metadata']['generation']}, observed {status.get('observedGeneration')}, {said}, {done}, {status.get('packages')}"


@pytest.fixture
def recording(desk):
    """Every version of every Host in the desk's namespace, from the API server's own watch."""
    return desk.recorder


@pytest.fixture
def held_update(desk, kraut):
    """``held_update(name, on=machine, **fields of the package)``: a pending update of the first machine or another.

    All are let go on at the end, before the Hosts are deleted.
    """
    made = []

    def give(name="kraut-t-held", *, on=None, **fields):
        made.append(HeldUpdate(kraut, on or kraut.hosts[0], name, **fields))
        return made[-1]

    yield give
    for update in made:
        update.machine.network.heal()
        update.machine.power_on()
        update.let_go_on()


UPDATED = (("UpdatePackages", "Succeeded"),)


@pytest.fixture
def assert_once(recording):
    """``assert_once(update, boots=0)``: no operation did anything twice on its host, and it booted so often, not more."""

    def check(update, *, boots=0):
        witnessed = update.witnessed()
        assert recordings.going_back(recording.events, foreign=recording.foreign) == []  # I9
        assert recordings.deleted_twice(recording.events) == []  # I11
        assert recordings.repeated(update.effects()) == []  # I3
        assert witnessed.repeated() == []  # I3
        assert recordings.overlapping(update.operations()) == []  # I4
        assert update.effects() == [(update.name, "1.1")]
        assert witnessed.boots == boots
        return witnessed

    return check


@pytest.fixture
def assert_kept(assert_once):
    """``assert_kept(handle, update, ...)``: what must be true once everything is healed, read from recordings alone.

    ``done``: operations by type and result, newest first; the host booted once for each reboot among them.
    """

    def check(handle, update, *, done=UPDATED):
        host = handle.get()
        witnessed = assert_once(update, boots=done.count(("Reboot", "Succeeded")))
        assert recordings.not_last(host) == []  # I2
        assert [(o["type"], o["result"]) for o in operations(host)] == list(done)
        ids = sorted(o["id"] for o in operations(host))
        assert sorted(operation.id for operation in update.operations()) == update.folders() == ids
        updates = {o["id"] for o in operations(host) if (o["type"], o["result"]) == UPDATED[0]}
        assert updates <= witnessed.operations <= set(ids)
        assert host["status"]["hostInfo"]["bootID"] == update.machine.boot_id
        return host

    return check
