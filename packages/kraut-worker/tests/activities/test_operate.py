"""Staying with an operation through losses of the connection, on a clock that is turned by hand."""

from collections.abc import Iterator
from contextlib import asynccontextmanager

import pytest

from kraut_core.errors import UnreachableError
from kraut_worker.activities import operate
from kraut_worker.activities.operate import HostOperator
from kraut_worker.messages import HostName, OperationOrder, RunOperationInput
from kraut_worker.ports import CommandResult

pytestmark = pytest.mark.integration

ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
STARTED = b"answer=Started\nvalue=\n"
ATTACHED = b"answer=AlreadyRunning\nvalue=\n"
RUNNING = b"id=%s\nunit=active\nspec.type=UpdatePackages\nclaim.bootID=b\nbootID=b\nsize=9\nchunk\n" % ID.encode()
DONE = RUNNING.replace(b"unit=active", b"unit=inactive\nresult.exitCode=0\nresult.bootID=b")
LOST = UnreachableError("connection lost")


class Clock:
    """Stands in for the module time."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


class Course:
    """A host (connector and shell) that plays ``steps``: seconds that go by, then an answer or a loss."""

    host_key = machine_id = ""

    def __init__(self, clock, steps):
        self._clock, self._steps, self.scripts, self.connections = clock, list(steps), [], 0

    @asynccontextmanager
    async def connect(self, _target):
        self.connections += 1
        if self._steps and self._steps[0][1] is LOST:
            self._take()
        yield self

    async def learn_host_key(self, _target):
        raise AssertionError("its keys are pinned")

    async def run(self, script, *, timeout_seconds, max_output=0):
        self.scripts.append(script)
        return CommandResult(0, self._take(), b"")

    def _take(self):
        seconds, answer = self._steps.pop(0)
        self._clock.now += seconds
        if answer is LOST:
            raise LOST
        return answer


@pytest.fixture
def clock(monkeypatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(operate, "time", clock)
    monkeypatch.setattr(operate, "FIRST_PAUSE_SECONDS", 0.0)
    return clock


async def stay(scene, clock, steps, *, deadline_seconds=120.0):
    await scene.host("web-1")
    host = Course(clock, steps)
    order = OperationOrder(
        id=ID, type="UpdatePackages", fencing_token=1, boot_id="b", updates="All", deadline_seconds=deadline_seconds
    )
    name = HostName(home="tests", namespace=scene.namespace, name="web-1")
    report = await HostOperator(scene.worker, host).run(RunOperationInput(host=name, order=order))
    return report, host


LONG = [(0, STARTED), *[(20, RUNNING)] * 9]
"""Three minutes of an operation, all of them in sight."""


async def test_a_loss_after_minutes_of_good_answers_is_waited_out(scene, clock):
    report, host = await stay(scene, clock, [*LONG, (1, LOST), (5, LOST), (5, ATTACHED), (0, DONE)])
    assert (report.state, report.message) == ("Ended", "")
    assert host.connections == 3


async def test_a_host_that_stays_away_for_the_deadline_is_unknown(scene, clock):
    report, host = await stay(scene, clock, [*LONG, (1, LOST), (60, LOST), (60, LOST)])
    assert (report.state, report.message) == ("Unknown", "connection lost")
    assert host.connections == 3


async def test_its_output_stays_on_the_host(scene, clock):
    _, host = await stay(scene, clock, [(0, STARTED), (20, RUNNING), (1, DONE)])
    assert all(script.rstrip().endswith("head -c 0") for script in host.scripts[1:])
