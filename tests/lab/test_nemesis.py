"""A short run of the nemesis: `make nemesis` does the same for longer, with more hosts and a fresh seed."""

import pytest

from kraut_lab.nemesis.checks import check
from kraut_lab.nemesis.history import read_history
from kraut_lab.nemesis.run import Course, run
from kraut_lab.nemesis.schedule import make_schedule

SEED = 7
MINUTES = 0.75


@pytest.fixture
def alone(lab):
    """The lab without the operator and the worker that other tests share: the nemesis has its own, in pairs."""
    running = [component for name in ("operator", "worker") if (component := lab.component(name)).is_running()]
    for component in running:
        component.stop()
    yield lab
    for component in running:
        component.start(restart=True)


@pytest.mark.lab
@pytest.mark.timeout(1800)
def test_random_faults_on_two_hosts_break_nothing(alone, tmp_path):
    machines = alone.hosts[:2]
    faults = make_schedule(SEED, hosts=len(machines), minutes=MINUTES)
    file = tmp_path / "history.jsonl"
    told = []

    run(alone, machines, Course(SEED, MINUTES, faults), file, name="nemesis-sample", progress=told.append)

    history = read_history(file)
    assert check(history) == [], told
    assert len(list(history.of("fault", phase="begin", trouble=""))) == len(faults), told
    # The witnesses were heard: without them a checker finds nothing wrong with anything.
    for machine in machines:
        assert any(event["operation"] for event in history.of("effect", host=machine.name))
        # By an operation, or by hand: a fault that reboots a host in time leaves nothing to do for kraut.
        assert list(history.of("reboot", host=machine.name))
        assert any(event["exitCode"] == 0 for event in history.of("operation", host=machine.name))
    assert any(event["operation"] for event in history.of("reboot"))
    assert {event["object"]["kind"] for event in history.of("object")} == {"Host", "UpgradePolicy"}
    assert list(history.of("workflow"))
    assert {event["host"] for event in history.of("left")} == {machine.name for machine in machines}
    assert len(list(history.of("resources"))) == 4
