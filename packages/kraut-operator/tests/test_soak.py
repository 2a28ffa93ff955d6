"""I10: 24 hours in one. Resyncs come at a hundred times their pace over many real Hosts that people keep changing, watches are
cut, the API server dies now and then; nothing grows, and in the end everything is answered.

`make soak` runs the whole and writes docs/reports/operator-soak.md.
"""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from temporalio.client import Client

from kraut_core.kube.client import KubeClient
from kraut_core.kube.testing import FaultProxy, point_kubeconfig
from kraut_operator.testing.answering import answering
from kraut_operator.testing.crowd import Crowd, churn
from kraut_operator.testing.growth import Sample, early_and_late, slope_per_hour
from kraut_operator.testing.process import OperatorProcess

if TYPE_CHECKING:
    from kraut_lab.controlplane import ControlPlane

REPORTS = Path(__file__).resolve().parents[3] / "docs" / "reports"
NAMES = ("rss_kib", "blocks", "descriptors", "tasks", "queue", "ledger")
GROWTH_ALLOWED = {"rss_kib": 0.05, "blocks": 0.05}
MORE_ALLOWED = {"descriptors": 6, "tasks": 6}
ANSWER_SECONDS = 900.0


@dataclass(frozen=True)
class Plan:
    """What is run. Watches are cut every ``cut_seconds``; the API server dies ``deaths`` times."""

    objects: int
    resyncs: int
    resync_seconds: int
    changes_per_second: float
    cut_seconds: float
    deaths: int


@dataclass
class Outcome:
    """What was seen."""

    samples: list[Sample]
    resyncs: int
    changes: int
    dispatches: int
    answers: int
    cuts: int
    unanswered: list[str]
    seconds: float


async def run(
    plan: Plan,
    *,
    kube: KubeClient,
    temporal: Client,
    home: str,
    settings: dict[str, str],
    plane: "ControlPlane",
    folder: Path,
) -> Outcome:
    """Run the plan, end all trouble, and wait until everything is answered, or in vain."""
    crowd = Crowd(kube, home, plan.objects, seed=1)
    await crowd.create()
    samples = folder / "samples"
    began = time.monotonic()
    async with answering(temporal, kube, home) as answers, operator(plan, settings, plane, folder, samples) as parts:
        process, cutter = parts
        troubles = [
            asyncio.create_task(churn(crowd, per_second=plan.changes_per_second)),
            asyncio.create_task(kill_at_times(plan, process, plane)),
            asyncio.create_task(cutter.run()),
        ]
        while (done := await process.metric("kraut_resyncs_total")) < plan.resyncs:
            assert process.process.returncode is None, (folder / "log").read_text()[-4000:]
            await asyncio.sleep(1)
        for task in troubles:
            task.cancel()
        await asyncio.gather(*troubles, return_exceptions=True)
        await asyncio.to_thread(plane.start)
        cutter.heal()
        unanswered = await left_unanswered(crowd, samples)
        dispatches = int(await process.metric("kraut_dispatches_total"))
        return Outcome(
            samples=read(samples),
            resyncs=int(done),
            changes=crowd.changes,
            dispatches=dispatches,
            answers=answers.given,
            cuts=cutter.cuts,
            unanswered=unanswered,
            seconds=time.monotonic() - began,
        )


class Cutter:
    """Cuts the operator's watches: mostly with a reset, in mid event, every fourth time by silence."""

    def __init__(self, proxy: FaultProxy, seconds: float) -> None:
        self.cuts = 0
        self._proxy = proxy
        self._seconds = seconds

    def heal(self) -> None:
        """What is silent ends; what comes next is left alone."""
        self._proxy.reset()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            self.cuts += 1
            match self.cuts % 4:
                case 1:
                    self._proxy.reset()
                case 2:
                    self._proxy.reset_after(700)
                case 3:
                    self._proxy.reset()
                case _:
                    self._proxy.blackhole()


@asynccontextmanager
async def operator(
    plan: Plan, settings: dict[str, str], plane: "ControlPlane", folder: Path, samples: Path
) -> AsyncIterator[tuple[OperatorProcess, Cutter]]:
    """The operator behind a proxy that cuts its watches."""
    async with FaultProxy.open(plane.url) as proxy:
        kubeconfig = point_kubeconfig(plane.kubeconfig("operator"), proxy.url, folder / "kubeconfig")
        program = ("-m", "kraut_operator.testing.measured", str(samples), str(plan.resync_seconds))
        env = {**settings, "KRAUT_LOG_LEVEL": "info", "KRAUT_KUBE_KUBECONFIG": str(kubeconfig)}
        async with OperatorProcess.running(env, folder / "log", program=program) as process:
            await process.ready(120)
            yield process, Cutter(proxy, plan.cut_seconds)


async def kill_at_times(plan: Plan, process: OperatorProcess, plane: "ControlPlane") -> None:
    """SIGKILL of the API server, evenly spread over the resyncs."""
    for number in range(1, plan.deaths + 1):
        while await process.metric("kraut_resyncs_total") < plan.resyncs * number / (plan.deaths + 1):
            await asyncio.sleep(1)
        await asyncio.to_thread(plane.apiserver.kill, signal.SIGKILL)
        await asyncio.to_thread(plane.start)


async def left_unanswered(crowd: Crowd, samples: Path) -> list[str]:
    """I1: wait until every Host's status answers what the Host is now and the operator has seen it; names of those left."""
    deadline = time.monotonic() + ANSWER_SECONDS
    while (left := await crowd.unanswered()) or read(samples)[-1]["ledger"]:
        if time.monotonic() > deadline:
            return left or [f"{read(samples)[-1]['ledger']:.0f} of the ledger"]
        await asyncio.sleep(1)
    return []


def read(samples: Path) -> list[Sample]:
    return [json.loads(line) for line in samples.read_text().splitlines() if line.endswith("}")]


def assert_all_is_well(outcome: Outcome) -> None:
    assert outcome.unanswered == []
    for name, share in GROWTH_ALLOWED.items():
        early, late = early_and_late(outcome.samples, name)
        assert late <= early * (1 + share), f"{name} grew from {early:.0f} to {late:.0f}"
    for name, more in MORE_ALLOWED.items():
        early, late = early_and_late(outcome.samples, name)
        assert late <= early + more, f"{name} grew from {early:.0f} to {late:.0f}"


@pytest.mark.integration
@pytest.mark.timeout(600)
async def test_a_sample_of_a_day_grows_nothing_and_forgets_nobody(
    kube: KubeClient,
    temporal: Client,
    home: str,
    settings: dict[str, str],
    control_plane: "ControlPlane",
    tmp_path: Path,
) -> None:
    plan = Plan(objects=500, resyncs=3, resync_seconds=4, changes_per_second=5, cut_seconds=5, deaths=0)
    outcome = await run(
        plan, kube=kube, temporal=temporal, home=home, settings=settings, plane=control_plane, folder=tmp_path
    )
    assert outcome.unanswered == []
    assert outcome.changes >= 10
    assert outcome.answers >= outcome.changes / 2
    assert outcome.cuts >= 2
    for name, more in MORE_ALLOWED.items():
        early, late = early_and_late(outcome.samples, name)
        assert late <= early + more, f"{name} grew from {early:.0f} to {late:.0f}"


@pytest.mark.sweep
@pytest.mark.timeout(4 * 3600)
async def test_24_hours_in_one(
    kube: KubeClient,
    temporal: Client,
    home: str,
    settings: dict[str, str],
    control_plane: "ControlPlane",
    tmp_path: Path,
) -> None:
    plan = Plan(objects=10_000, resyncs=144, resync_seconds=4, changes_per_second=2, cut_seconds=15, deaths=4)
    outcome = await run(
        plan, kube=kube, temporal=temporal, home=home, settings=settings, plane=control_plane, folder=tmp_path
    )
    write_report(plan, outcome)
    assert_all_is_well(outcome)


def write_report(plan: Plan, outcome: Outcome) -> None:
    rows = []
    for name in NAMES:
        early, late = early_and_late(outcome.samples, name)
        peak = max(sample[name] for sample in outcome.samples)
        slope = slope_per_hour(outcome.samples, name)
        rows.append(f"| {name} | {early:.0f} | {late:.0f} | {peak:.0f} | {slope:+.1f} |")
    facts = {
        "Hosts": plan.objects,
        "resyncs (24 h at the default of 600 s are 144)": outcome.resyncs,
        "changes by people": outcome.changes,
        "signals sent": outcome.dispatches,
        "statuses written": outcome.answers,
        "watches cut (reset, in mid event, silence)": outcome.cuts,
        "deaths of the API server": plan.deaths,
        "Hosts not answered in the end": len(outcome.unanswered),
        "minutes": f"{outcome.seconds / 60:.0f}",
    }
    lines = [
        "# Operator: 24 hours in one",
        "",
        "Written by `make soak`; not edited by hand. A real operator, kube-apiserver and Temporal; resyncs at about a hundred times",
        "their pace while people change specs, annotate, delete and create again, and edit Secrets that twenty Hosts share.",
        "",
        "| | |",
        "|---|--:|",
        *(f"| {name} | {value} |" for name, value in facts.items()),
        "",
        "One sample per second. *Early* is the median of the second quarter of the run, *late* that of the last; the slope is",
        "of a straight line through all but the first quarter.",
        "",
        "| | early | late | peak | slope per hour |",
        "|---|--:|--:|--:|--:|",
        *rows,
        "",
        "`blocks` are the allocated blocks of Python's memory, `queue` all entries of the work queue in memory, later and",
        "outdated ones included, `ledger` the objects whose workflow was woken and whose status does not answer yet.",
    ]
    REPORTS.mkdir(parents=True, exist_ok=True)
    (REPORTS / "operator-soak.md").write_text("\n".join(lines) + "\n")
    document = {"plan": vars(plan), "facts": facts, "samples": outcome.samples[::10]}
    (REPORTS / "operator-soak.json").write_text(json.dumps(document) + "\n")
