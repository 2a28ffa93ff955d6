"""Row 5, end to end: operator and worker behind an API server that lies, a real host, and recordings of the truth beside it."""

import contextlib
import urllib.request

import pytest

from kraut_lab.faults import recordings
from kraut_lab.faults.apiproxy import LyingApiServer
from kraut_lab.faults.apiproxy.lies import Told
from kraut_lab.faults.signals import stopped
from kraut_lab.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lied_to")]

PATIENCE = 200
HOSTS = "/apis/kraut.dev/v1alpha1/hosts"
GARBLED = (
    b'{"type":"MODIFIED","object":{"metadata":{"name":7}}}\n',
    b'{"type":"BOOKMARK","object":{"metadata":{}}}\n',
    b'{"type":"MODIFIED","object":{"metadata":{"name":"\xff"}}}\n',
)
"""The first is left out, the others end the watch, which is resumed."""


@pytest.fixture(scope="module")
def proxy(lab):
    with LyingApiServer.in_front_of(lab.control_plane) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def lied_to(kraut, proxy, tmp_path_factory, others_instead):
    """Operator and worker that know no other API server than the proxy; hosts are looked at every ten seconds."""
    folder = tmp_path_factory.mktemp("kubeconfigs")
    env = {name: {"KRAUT_KUBE_KUBECONFIG": str(proxy.kubeconfig(name, folder))} for name in ("operator", "worker")}
    env["worker"]["KRAUT_WORKER_SWEEP_INTERVAL_SECONDS"] = "10"
    components = [kraut.component(name, instance="lied-to") for name in env]
    with others_instead(*components, env=env):
        yield


@pytest.fixture
def assert_gone_once(lab, recording):
    """``assert_gone_once(handle)``: the Host goes, its end is told once, and the operator knows of no Host that is not there.

    ``restarted``: an operator that was never told of the end finds out when it reads everything again, which it does each hour.
    """
    operator = lab.component("operator", instance="lied-to")

    def check(handle, *, restarted=False):
        handle.wait_gone()
        if restarted:
            operator.kill()
            operator.wait_ready()
        wait_until(lambda: known_hosts(operator) == there(lab), "the operator to know what is there", timeout=PATIENCE)
        recording.wait_deleted(handle.name)
        assert recordings.deleted_twice(recording.events) == []
        assert [found["metadata"]["name"] for kind, found in recording.events if kind == "DELETED"] == [handle.name]

    return check


def known_hosts(operator):
    """How many Hosts the operator says that it knows; None while it says nothing."""
    try:
        with urllib.request.urlopen(f"{operator.probe_url}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return None
    [known] = [line for line in lines if line.startswith('kraut_cached_objects{kind="Host"}')]
    return int(float(known.rpartition(" ")[2]))


def there(lab):
    """How many Hosts there are."""
    return len(lab.control_plane.admin.get(HOSTS)["items"])


@pytest.mark.fault(row=5, fault="dropped events", invariants=("I1", "I2", "I3", "I9", "I11"))
def test_a_change_whose_event_never_comes_is_found_by_the_sweep(
    desk, machine, proxy, held_update, assert_kept, assert_gone_once
):
    update = held_update()
    handle = desk.host(machine)
    handle.wait_current()
    with proxy.lies.dropping(lambda _, found: found["metadata"].get("namespace") == desk.namespace) as dropped:
        handle.apply(operatingSystem={"updates": "All"})
        update.wait_configuring()
        assert dropped.times > 0
    update.let_go_on()
    handle.wait_up_to_date()
    assert_kept(handle, update)
    with proxy.lies.dropping(lambda _, found: found["metadata"].get("namespace") == desk.namespace) as dropped:
        handle.delete()
        handle.wait_gone()
        assert dropped.times > 0
    assert_gone_once(handle, restarted=True)


@pytest.mark.fault(row=5, fault="repeated events", invariants=("I1", "I2", "I3", "I9", "I11"))
def test_events_that_come_twice_and_out_of_order_change_nothing(
    desk, machine, proxy, held_update, assert_kept, assert_gone_once
):
    update = held_update()
    with proxy.lies.repeating() as repeated:
        handle = desk.host(machine, operatingSystem={"updates": "All"})
        update.wait_configuring()
        update.let_go_on()
        handle.wait_up_to_date()
        assert repeated.times > 0
        assert_kept(handle, update)
        handle.delete()
        assert_gone_once(handle)


@pytest.mark.fault(row=5, fault="RST in the middle of a JSON line", invariants=("I1", "I2", "I3", "I9", "I11"))
def test_watches_that_are_reset_in_the_middle_of_a_line(
    desk, machine, proxy, held_update, assert_kept, assert_gone_once
):
    update = held_update()
    handle = desk.host(machine)
    handle.wait_current()
    with proxy.lies.cutting(HOSTS) as cut:
        handle.apply(operatingSystem={"updates": "All"})
        wait_until(lambda: cut.times > 1, "the watch to be cut twice", timeout=PATIENCE)
    update.wait_configuring()
    update.let_go_on()
    handle.wait_up_to_date()
    assert_kept(handle, update)
    with proxy.lies.cutting(HOSTS) as cut:
        handle.delete()
        wait_until(lambda: cut.times > 1, "the watch to be cut twice", timeout=PATIENCE)
    assert_gone_once(handle)


@pytest.fixture
def garbling(proxy, monkeypatch):
    """``with garbling() as told:`` each event of a Host comes after one that is none, or that fits no Host."""

    @contextlib.contextmanager
    def garble():
        told, truth = Told(), proxy.lies.instead_of

        def instead_of(path, line):
            if path != HOSTS or b'"BOOKMARK"' in line:
                return truth(path, line)
            told.times += 1
            return [GARBLED[told.times % len(GARBLED)], *truth(path, line)]

        with monkeypatch.context() as patched:
            patched.setattr(proxy.lies, "instead_of", instead_of)
            yield told

    return garble


@pytest.mark.fault(row=5, fault="malformed events", invariants=("I1", "I2", "I3", "I9", "I11"))
def test_events_that_are_none_among_those_that_are(
    desk, machine, proxy, garbling, held_update, assert_kept, assert_gone_once
):
    update = held_update()
    with garbling() as told:
        handle = desk.host(machine)
        handle.wait_current()
        handle.apply(operatingSystem={"updates": "All"})
        update.wait_configuring()
        update.let_go_on()
        handle.wait_up_to_date()
        assert_kept(handle, update)
        handle.delete()
        handle.wait_gone()
        wait_until(lambda: told.times > len(GARBLED), "all of them to be told", timeout=PATIENCE)
    assert_gone_once(handle)


@pytest.mark.fault(row=5, fault="stale LIST", invariants=("I1", "I2", "I3", "I9", "I11"))
@pytest.mark.fault(row=5, fault="410 with deletions missed", invariants=("I1", "I2", "I3", "I9", "I11"))
def test_a_list_that_is_far_behind(desk, machine, machines, proxy, held_update, assert_kept, recording):
    """The operator lists from a cache that knows neither the new Host nor that another is gone."""
    other = desk.host(machines[1])
    other.wait_current()
    proxy.cut_watches(HOSTS)  # what is listed now is what will be told
    update = held_update()
    handle = desk.host(machine)
    handle.wait_current()
    with proxy.lies.listing_from_the_past(HOSTS) as told:
        proxy.cut_watches(HOSTS)
        wait_until(lambda: told.times > 0, "the past to be told", timeout=PATIENCE)
        other.delete()
        handle.apply(operatingSystem={"updates": "All"})
        update.wait_configuring()
    update.let_go_on()
    handle.wait_up_to_date()
    other.wait_gone()
    assert_kept(handle, update)
    recording.wait_deleted(other.name)
    deleted = [found["metadata"]["name"] for kind, found in recording.events if kind == "DELETED"]
    assert deleted == [other.name]


@pytest.mark.fault(row=5, fault="stale GET", invariants=("I1", "I2", "I3", "I9", "I11"))
def test_a_worker_that_reads_an_old_host_starts_nothing_by_it(
    desk, machine, proxy, lab, held_update, assert_kept, assert_gone_once
):
    """The answer says that updates are wanted; they were, for a moment, and nobody wants them any more."""
    update = held_update()
    handle = desk.host(machine)
    handle.wait_current()
    lies = contextlib.ExitStack()
    with stopped(lab.component("worker", instance="lied-to")):
        handle.apply(operatingSystem={"updates": "All"})
        proxy.remember(handle.path)
        handle.apply(operatingSystem={"updates": "None"})
        told = lies.enter_context(proxy.lies.answering_from_the_past(handle.path))
    with lies:
        wait_until(lambda: told.times > 5, "old answers to be read", timeout=PATIENCE)
        assert update.operations() == []
    handle.wait_current()
    assert update.operations() == []
    handle.apply(operatingSystem={"updates": "All"})
    update.wait_configuring()
    update.let_go_on()
    handle.wait_up_to_date()
    assert_kept(handle, update)
    with proxy.lies.answering_from_the_past(handle.path) as told:
        handle.delete()
        wait_until(lambda: told.times > 5, "old answers to be read", timeout=PATIENCE)
    assert_gone_once(handle)
