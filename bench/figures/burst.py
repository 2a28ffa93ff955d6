"""Many objects need their workflow at once: signals per second against a loop that does nothing else."""

import asyncio
import json
from functools import partial

from bench import objects
from bench.figure import Aim, Figure
from bench.sample import Sample, Samples, interleave
from bench.stage import Stage
from bench.subject import ROOT, python, start_operator
from bench.usage import run

KRAUT = "kraut-operator"
LOOP = "bare loop"
NAMESPACE = "burst"
UNLIMITED = "100000"


def measure(stage: Stage) -> Samples:
    """Each round has a home id of its own, so that every signal starts a workflow."""
    stage.say(f"making {stage.sizes.size} Hosts")
    asyncio.run(_prepare(stage))
    stage.notes.append("Temporal's development server keeps its state in SQLite, which is the limit of both")
    return interleave({KRAUT: partial(_operator, stage), LOOP: partial(_loop, stage)}, stage.sizes.rounds)


async def _prepare(stage: Stage) -> None:
    async with objects.connect(stage.plane) as kube:
        await objects.populate(kube, NAMESPACE, range(stage.sizes.size), answered=False)


def _operator(stage: Stage, number: int) -> Sample:
    settings = stage.operator_settings(NAMESPACE, f"burst-operator-{number}")
    with start_operator({**settings, "KRAUT_OPERATOR_DISPATCH_RATE": UNLIMITED}) as operator:
        acks = operator.wait_acks(stage.sizes.size)
        wall = (acks[-1].at_ns - acks[0].at_ns) / 1e9
        return {"wall_s": wall, "cpu_s": operator.cpu_s, "per_s": (len(acks) - 1) / wall}


def _loop(stage: Stage, number: int) -> Sample:
    arguments = (stage.temporal.address, f"burst-loop-{number}", str(stage.sizes.size))
    found = json.loads(run(python("bench.subjects.signal_loop", *arguments), cwd=ROOT).stdout)
    return {metric: found[metric] for metric in ("wall_s", "cpu_s", "per_s")}


FIGURE = Figure(
    title="Burst: Hosts that all need their workflow when the operator starts, 64 signals in flight, no rate limit",
    size=1_000,
    size_of="Hosts",
    measure=measure,
    aims=(Aim(KRAUT, "per_s", 0.9, LOOP, ">="),),
)
