"""How a sweep keeps its pace, with time and sleep turned by hand."""

from types import SimpleNamespace

import pytest
from temporalio.testing import ActivityEnvironment

from kraut_core.contracts.reconcile import ReconcileRequest
from kraut_worker.activities import kubernetes
from kraut_worker.activities.kubernetes import KubernetesActivitiesAtHome, Wake
from kraut_worker.messages import SweepInput

BEGINNING = 1_000_000.0


class Clock:
    """``jumps`` seconds pass, or the clock is set forward by as much, after the first wake; ``woken`` is when each was."""

    def __init__(self, jumps):
        self.now, self.jumps, self.woken = BEGINNING, jumps, []

    def time(self):
        return self.now

    async def sleep(self, seconds):
        self.now += seconds

    async def wake(self, *_, **__):
        self.woken.append(self.now - BEGINNING)
        self.now, self.jumps = self.now + self.jumps, 0


class Kube:
    async def list(self, kind, *, on_invalid):
        for moment in (200.0, 100.0, 300.0):
            yield moment


@pytest.mark.parametrize(
    ("jumps", "woken"), [(0, [100, 200, 300]), (103, [100, 203, 300]), (600, [100, 700, 800])], ids=str
)
async def test_a_sweep_that_stood_still_does_not_ask_the_rest_all_at_once(jumps, woken, monkeypatch):
    clock = Clock(jumps)
    monkeypatch.setattr(kubernetes, "time", clock)
    monkeypatch.setattr(kubernetes, "asyncio", SimpleNamespace(sleep=clock.sleep))
    monkeypatch.setattr(kubernetes, "wake_workflow", clock.wake)
    request = ReconcileRequest(uid="u", generation=1, reason="Sweep")
    monkeypatch.setattr(kubernetes, "_wake_of", lambda moment, *_: Wake(moment, "n", "a", "", request))
    activities = KubernetesActivitiesAtHome(Kube(), None, instance="tests")
    report = await ActivityEnvironment().run(activities.sweep, SweepInput(home="h", kind="Host", spread_seconds=400))
    assert (report.woken, clock.woken) == (3, woken)
