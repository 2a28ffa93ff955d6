"""U14, I1, I3, I6, I11, rows 1, 8 and 13 of the fault matrix: a process dies at every boundary, and nothing is different.

The boundaries are what the processes themselves cross (kraut_core.testing.crossings): a new activity, request or script is
swept without anybody remembering.
"""

import os
import random
import time
from pathlib import Path

import pytest

from kraut_lab.crashes.boundaries import any_such, sample, unnumbered
from kraut_lab.crashes.report import versions, write_report
from kraut_lab.crashes.sweep import Sweep

LANES = 8
REPORTS = Path(__file__).resolve().parents[3] / "docs" / "reports"


@pytest.fixture
def alone(lab):
    """The lab without the operator and the worker that other tests share: each lane has its own."""
    running = [component for name in ("operator", "worker") if (component := lab.component(name)).is_running()]
    for component in running:
        component.stop()
    yield lab
    for component in running:
        component.start(restart=True)


def say(text):
    print(text, flush=True)


@pytest.mark.fault(row=1, fault="operator SIGKILL at every dispatch boundary", invariants=("I1", "I2"))
@pytest.mark.fault(row=8, fault="worker SIGKILL at each activity boundary", invariants=("I3", "I6", "U14"))
@pytest.mark.fault(row=8, fault="worker SIGKILL at each SSH boundary", invariants=("I3", "I6", "U14"))
@pytest.mark.lab
@pytest.mark.timeout(1200)
def test_a_sample_of_crash_points_changes_nothing(alone, capsys):
    seed = int(os.environ.get("KRAUT_SWEEP_SEED") or random.randrange(10**6))
    with capsys.disabled(), Sweep(alone, series="sample", progress=say) as sweep:
        say(f"\ncrash points drawn with KRAUT_SWEEP_SEED={seed}")
        golden = sweep.record()
        results = sweep.run(sample(golden.found, seed), golden)
    assert {result.boundary.name: (result.verdict, result.problems) for result in results} == {
        result.boundary.name: ("same", ()) for result in results
    }, f"again with KRAUT_SWEEP_SEED={seed}"
    assert len(results) >= 5


@pytest.mark.fault(row=1, fault="operator SIGKILL at every dispatch boundary", invariants=("I1", "I2"))
@pytest.mark.fault(row=8, fault="worker SIGKILL at each activity boundary", invariants=("I3", "I6", "U14"))
@pytest.mark.fault(row=8, fault="worker SIGKILL at each SSH boundary", invariants=("I3", "I6", "U14"))
@pytest.mark.sweep
@pytest.mark.timeout(7200)
def test_every_crash_point_changes_nothing(alone, capsys):
    began = time.monotonic()
    alone.up(hosts=max(LANES, len(alone.hosts)), components=False)
    with capsys.disabled(), Sweep(alone, series="whole", progress=say) as sweep:
        golden = sweep.record()
        expect_all_kinds(golden.found)
        series = {"Operator or worker killed": sweep.run(golden.found, golden)}
    with capsys.disabled(), Sweep(alone, series="split", split=True, progress=say) as sweep:
        split = sweep.record()
        mine = [boundary for boundary in split.found if not boundary.name.startswith("operator/")]
        series["Only the process next to the hosts killed, workflows go on"] = sweep.run(mine, split)

    ran = versions(alone.control_plane.version)
    write_report(REPORTS, series, golden, seconds=time.monotonic() - began, ran=ran)
    different = {r.boundary.name: r.problems for results in series.values() for r in results if r.problems}
    assert different == {}
    for results in series.values():
        steady = {any_such(result.boundary.name) for result in results if result.boundary.steady}
        assert steady - {any_such(result.boundary.name) for result in results if result.run.reached} == set()


def expect_all_kinds(found):
    """The harness sees what it should: without this, a seam that came loose would make an empty sweep pass."""
    kinds = {unnumbered(boundary.name) for boundary in found}
    assert kinds >= {
        "assess_host/activity/before",
        "run_operation/activity/after",
        "assess_host/kube PUT hosts/_/status/after",
        "assess_host/ssh connect/before",
        "assess_host/ssh gather_facts/cut",
        "run_operation/ssh start/after",
        "run_operation/ssh poll/cut",
        "assess_host/ssh remove_all/after",
        "operator/wake HostWorkflow/before",
        "operator/watch hosts/after",
    }
