"""Row 5, end to end: operator and worker behind an API server that lies, a real host, and recordings of the truth beside it."""

import contextlib

import pytest

from kraut_lab.faults.apiproxy import LyingApiServer
from kraut_lab.faults.signals import stopped
from kraut_lab.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("lied_to")]

PATIENCE = 200
HOSTS = "/apis/kraut.dev/v1alpha1/hosts"


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


@pytest.mark.fault(row=5, fault="dropped events", invariants=("I1", "I2", "I3", "I9"))
def test_a_change_whose_event_never_comes_is_found_by_the_sweep(desk, machine, proxy, held_update, assert_kept):
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


@pytest.mark.fault(row=5, fault="repeated events", invariants=("I1", "I2", "I3", "I9", "I11"))
def test_events_that_come_twice_and_out_of_order_change_nothing(
    desk, machine, proxy, held_update, assert_kept, recording
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
        handle.wait_gone()
    assert [kind for kind, _ in recording.events].count("DELETED") == 1


@pytest.mark.fault(row=5, fault="RST in the middle of a JSON line", invariants=("I1", "I2", "I3", "I9"))
def test_watches_that_are_reset_in_the_middle_of_a_line(desk, machine, proxy, held_update, assert_kept):
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


@pytest.mark.fault(row=5, fault="stale LIST", invariants=("I1", "I2", "I3", "I9", "I11"))
@pytest.mark.fault(row=5, fault="410 with deletions missed", invariants=("I1", "I11"))
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
    deleted = [found["metadata"]["name"] for kind, found in recording.events if kind == "DELETED"]
    assert deleted == [other.name]


@pytest.mark.fault(row=5, fault="stale GET", invariants=("I1", "I2", "I3", "I9"))
def test_a_worker_that_reads_an_old_host_starts_nothing_by_it(desk, machine, proxy, lab, held_update, assert_kept):
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
