"""A restart over Hosts that are all answered: nobody is to be woken."""

import asyncio
import time
from functools import partial

from bench import objects
from bench.figure import Aim, Figure
from bench.sample import Sample, Samples, interleave
from bench.stage import Stage
from bench.subject import Subject, start_operator

KRAUT = "kraut-operator"
NAMESPACE = "restart"


def measure(stage: Stage) -> Samples:
    """Each round starts the operator anew."""
    stage.say(f"making {stage.sizes.size} Hosts")
    asyncio.run(_prepare(stage))
    return interleave({KRAUT: partial(_run, stage)}, stage.sizes.rounds)


async def _prepare(stage: Stage) -> None:
    async with objects.connect(stage.plane) as kube:
        await objects.populate(kube, NAMESPACE, range(stage.sizes.size))


def _run(stage: Stage, number: int) -> Sample:
    settings = stage.operator_settings(NAMESPACE, f"restart-{number}")
    began = time.monotonic()
    with start_operator(settings) as operator:
        operator.wait_ready()
        ready = time.monotonic() - began
        cpu = operator.cpu_s
        dispatches = asyncio.run(_mark(stage, operator, stage.sizes.size + number))
        return {"dispatches": dispatches, "ready_s": ready, "cpu_s": cpu, "peak_mib": operator.peak_mib}


async def _mark(stage: Stage, operator: Subject, number: int) -> int:
    """One new Host comes after everything that the restart could have caused; returns the dispatches before it."""
    async with objects.connect(stage.plane) as kube:
        await objects.populate(kube, NAMESPACE, [number], answered=False)
        operator.wait(lambda: any(ack.name == f"h{number}" for ack in operator.acks), "it woke the last Host")
        await objects.answer_all(kube, NAMESPACE, [number])
    return sum(ack.name != f"h{number}" for ack in operator.acks)


FIGURE = Figure(
    title="Restart of the operator over Hosts that are all answered: workflows woken, and seconds until ready",
    size=50_000,
    size_of="Hosts",
    measure=measure,
    aims=(Aim(KRAUT, "dispatches", 0),),
)
