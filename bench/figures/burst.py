"""Many people change something at once: signals per second against a loop that does nothing else."""

import asyncio
import json
from functools import partial

from bench import objects
from bench.figure import Aim, Figure
from bench.sample import Sample, Samples, interleave
from bench.stage import Stage
from bench.subject import ROOT, Subject, python, start_operator
from bench.usage import run
from kraut_operator.testing.cluster import release_lease, somebody_else_leads

KRAUT = "kraut-operator"
LOOP = "bare loop"
NAMESPACE = "burst"
UNLIMITED = "100000"


def measure(stage: Stage) -> Samples:
    """Each round has a home id of its own, so that every signal starts a workflow, for both contenders."""
    stage.say(f"making {stage.sizes.size} Hosts")
    asyncio.run(_prepare(stage))
    stage.notes.append("Temporal's development server keeps its state in SQLite, which is the limit of both")
    stage.notes.append(
        "the operator is a standby while all Hosts, answered until then, are changed one by one; its rate is that of the signals "
        "from when it has the Lease, its cpu includes hearing of the changes"
    )
    return interleave({KRAUT: partial(_operator, stage), LOOP: partial(_loop, stage)}, stage.sizes.rounds)


async def _prepare(stage: Stage) -> None:
    async with objects.connect(stage.plane) as kube:
        await objects.populate(kube, NAMESPACE, range(stage.sizes.size))


def _operator(stage: Stage, number: int) -> Sample:
    return asyncio.run(_burst(stage, number))


async def _burst(stage: Stage, number: int) -> Sample:
    hosts = range(stage.sizes.size)
    settings = stage.operator_settings(NAMESPACE, f"burst-operator-{number}")
    settings |= {"KRAUT_OPERATOR_DISPATCH_RATE": UNLIMITED, "KRAUT_OPERATOR_LEADER_ELECTION": "true"}
    async with objects.connect(stage.plane) as kube:
        await objects.answer_all(kube, NAMESPACE, hosts)
        async with somebody_else_leads(kube):
            with start_operator(settings) as operator:
                operator.wait_ready()
                before = operator.cpu_s
                await objects.change_all(kube, NAMESPACE, hosts)
                operator.wait(lambda: operator.metric("workqueue_depth") >= len(hosts), "it knew every change")
                await release_lease(kube)
                return _sample(operator, before, len(hosts))


def _sample(operator: Subject, before: float, count: int) -> Sample:
    acks = operator.wait_acks(count)
    wall = (acks[-1].at_ns - acks[0].at_ns) / 1e9
    return {"wall_s": wall, "cpu_s": operator.cpu_s - before, "per_s": (len(acks) - 1) / wall}


def _loop(stage: Stage, number: int) -> Sample:
    arguments = (stage.temporal.address, f"burst-loop-{number}", str(stage.sizes.size))
    found = json.loads(run(python("bench.subjects.signal_loop", *arguments), cwd=ROOT).stdout)
    return {metric: found[metric] for metric in ("wall_s", "cpu_s", "per_s")}


FIGURE = Figure(
    title="Burst: as many changes of Hosts that were answered, 64 signals in flight, no rate limit",
    size=10_000,
    size_of="changes",
    measure=measure,
    aims=(Aim(KRAUT, "per_s", 0.9, LOOP, ">="),),
    rounds=3,
)
