"""Staying with an operation through losses of the connection, on a clock that is turned by hand."""

from collections.abc import Iterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from kraut_core.errors import ApiServerError, ForbiddenError, UnreachableError
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
FAILED = RUNNING.replace(b"unit=active", b"unit=inactive\nresult.exitCode=12\nresult.bootID=b")
OUTPUT = FAILED + b"it failed"
LOST = UnreachableError("connection lost")
SILENT = b""
REBOOTED = b"answer=RefusedBootID\nvalue=c\n"


class Clock:
    """Stands in for the module time, and for what waits on it; ``pauses`` are those that were waited."""

    def __init__(self):
        self.now = 1000.0
        self.pauses = []

    def monotonic(self):
        return self.now

    async def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds


class Course:
    """A host (connector and shell) that plays ``steps``: seconds that go by, then an answer or a loss."""

    host_key = machine_id = ""

    def __init__(self, clock, steps, meanwhile=None):
        self._clock, self._steps, self.scripts, self.connections = clock, list(steps), [], 0
        self._meanwhile = meanwhile

    @asynccontextmanager
    async def connect(self, _target):
        self.connections += 1
        if self._meanwhile is not None:
            await self._meanwhile()
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
    monkeypatch.setattr(operate, "pause", clock.sleep)
    return clock


async def stay(scene, clock, steps, *, type_="UpdatePackages", deadline_seconds=120.0, meanwhile=None, host_uid=""):
    """``meanwhile`` happens while the login takes its time."""
    await scene.host("web-1")
    host = Course(clock, steps, meanwhile)
    order = OperationOrder(
        id=ID,
        type=type_,
        fencing_token=1,
        boot_id="b",
        host_uid=host_uid,
        updates="All",
        deadline_seconds=deadline_seconds,
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


BROKEN = [
    ApiServerError('admission webhook "quota" failed: HTTP 500', status=500),
    ApiServerError("no answer within 30 s"),
    ForbiddenError("configmaps is forbidden", status=403),
]


@pytest.mark.parametrize("call", ["create_config_map", "list_config_maps"])
@pytest.mark.parametrize("error", BROKEN, ids=["webhook", "silence", "forbidden"])
async def test_a_log_that_cannot_be_kept_holds_up_nothing(scene, clock, monkeypatch, call, error):
    async def broken(*_args, **_options):
        raise error

    monkeypatch.setattr(scene.worker, call, broken)
    report, host = await stay(scene, clock, [(0, STARTED), (5, FAILED), (0, FAILED), (0, OUTPUT), (0, FAILED)])
    assert (report.state, report.message) == ("Ended", "")
    assert host.connections == 1


async def test_a_log_that_is_lost_on_its_way_is_asked_for_again(scene, clock):
    again = [(0, ATTACHED), (0, FAILED), (0, FAILED), (0, OUTPUT), (0, FAILED)]
    report, _ = await stay(scene, clock, [(0, STARTED), (5, FAILED), (1, LOST), *again])
    assert report.state == "Ended"
    kept = await scene.worker.list_config_maps(scene.namespace, label_selector="")
    assert [config_map.data["output"] for config_map in kept if ID[:8] in config_map.name] == ["it failed"]


async def test_a_log_that_never_arrives_is_given_up(scene, clock):
    """The end is known: a host that waits for its place does not wait for a courtesy."""
    in_vain = [(0, ATTACHED), (0, FAILED), (1, LOST)]
    report, host = await stay(scene, clock, [*in_vain * 3, (0, ATTACHED), (0, FAILED)])
    assert (report.state, host.connections) == ("Ended", 4)


async def test_a_host_that_lets_in_and_answers_nothing_is_out_of_sight(scene, clock):
    """A login is no answer: what fails after it must not be tried for ever."""
    report, _ = await stay(scene, clock, [(0, STARTED), *[(1, SILENT)] * 60])
    assert report.state == "Unknown"
    assert clock.pauses[-1] == operate.LONGEST_PAUSE_SECONDS


async def test_a_host_that_goes_down_slowly_is_asked_less_and_less_often(scene, clock):
    """Each look costs three reads of the API and two scripts as root, at every host that reboots."""
    still = [(0, ATTACHED), (2, RUNNING.replace(b"UpdatePackages", b"Reboot"))]
    report, _ = await stay(scene, clock, [(0, STARTED), still[1], *still * 60], type_="Reboot")
    assert (report.state, report.message) == ("Ended", "the host was told to reboot and still runs the same boot")
    assert clock.pauses[:5] == [0.5, 1.0, 2.0, 4.0, 5.0]
    assert set(clock.pauses[5:]) == {5.0}


async def test_a_host_that_comes_back_is_asked_at_once(scene, clock):
    """As after any loss."""
    still = [(0, ATTACHED), (2, RUNNING.replace(b"UpdatePackages", b"Reboot"))]
    gone = [(0, LOST)] * 3
    report, _ = await stay(
        scene, clock, [(0, STARTED), still[1], *still * 3, *gone, *still, (0, REBOOTED)], type_="Reboot"
    )
    assert report.state == "Ended"
    assert clock.pauses[-1] == 0.5


ABSENT = b"id=%s\nunit=inactive\nbootID=b\nsize=0\nchunk\n" % ID.encode()


@pytest.mark.parametrize("type_", ["UpdatePackages", "Reboot"])
async def test_nothing_is_started_on_a_host_that_was_deleted_during_the_login(scene, clock, type_):
    """Its clean-up may be over by now, and its place may be another's."""
    deleted = partial(scene.mark_for_deletion, "web-1")
    report, host = await stay(scene, clock, [(0, ABSENT)], type_=type_, meanwhile=deleted)
    assert report.state == "Refused"
    assert [script for script in host.scripts if "systemd-run" in script] == []


async def test_what_runs_on_a_host_that_is_being_deleted_is_attended_to_its_end(scene, clock):
    deleted = partial(scene.mark_for_deletion, "web-1")
    report, _ = await stay(scene, clock, [(20, RUNNING), (0, DONE)], meanwhile=deleted)
    assert report.state == "Ended"


async def test_another_host_of_the_same_name_is_not_touched(scene, clock):
    report, host = await stay(scene, clock, [], host_uid="of-the-one-before")
    assert (report.state, host.connections) == ("Unknown", 0)


async def test_the_host_it_was_decided_for_is(scene, clock):
    await scene.host("web-1")
    uid = (await scene.get_host("web-1")).metadata.uid
    report, _ = await stay(scene, clock, [(0, STARTED), (0, DONE)], host_uid=uid)
    assert report.state == "Ended"
