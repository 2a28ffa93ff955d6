"""The leader ends: how long until the standby had its first signal acknowledged."""

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count

from bench import objects
from bench.figure import Aim, Figure
from bench.sample import Sample, Samples
from bench.stage import Stage
from bench.subject import Subject, start_operator

KILLED = "leader killed (SIGKILL)"
TERMINATED = "leader terminated (SIGTERM)"
NAMESPACE = "failover"


def measure(stage: Stage) -> Samples:
    """Two operators at a time; the one that leads gets the signal, another takes its place as standby."""
    with ExitStack() as stack:
        return _measure(stage, stack)


def _measure(stage: Stage, stack: ExitStack) -> Samples:
    asyncio.run(_make(stage, []))
    settings = stage.operator_settings(NAMESPACE, "failover") | {"KRAUT_OPERATOR_LEADER_ELECTION": "true"}

    def start() -> Subject:
        operator = stack.enter_context(start_operator(settings))
        operator.wait_ready()
        return operator

    numbers = count()
    found: Samples = {KILLED: [], TERMINATED: []}
    leader = start()
    _signal(stage, numbers, [leader])
    for _ in range(stage.sizes.rounds):
        for name, number in ((KILLED, signal.SIGKILL), (TERMINATED, signal.SIGTERM)):
            standby = start()
            found[name].append(_fail_over(stage, numbers, leader, standby, number))
            leader = standby
    return found


def _fail_over(
    stage: Stage, numbers: Iterator[int], leader: Subject, standby: Subject, number: signal.Signals
) -> Sample:
    # The leader is at work until the very moment.
    _signal(stage, numbers, [leader])
    began = time.time_ns()
    leader.send(number)
    moment = _signal(stage, numbers, [standby])
    leader.process.wait()
    return {"gap_s": (moment - began) / 1e9}


def _signal(stage: Stage, numbers: Iterator[int], operators: list[Subject]) -> int:
    """A new Host; returns when one of the operators had its signal acknowledged (ns)."""
    number = next(numbers)
    asyncio.run(_make(stage, [number]))
    found: list[int] = []

    def acknowledged() -> bool:
        found.extend(ack.at_ns for operator in operators for ack in operator.acks if ack.name == f"h{number}")
        return bool(found)

    operators[0].wait(acknowledged, "it woke the new Host")
    return found[0]


async def _make(stage: Stage, numbers: list[int]) -> None:
    async with objects.connect(stage.plane) as kube:
        await objects.populate(kube, NAMESPACE, numbers, answered=False)


FIGURE = Figure(
    title="Failover: from the end of the leader to the first signal of the standby (Lease of 15 s, retried every 2 s)",
    size=2,
    size_of="operators",
    measure=measure,
    aims=(Aim(KILLED, "gap_s", 16.5), Aim(TERMINATED, "gap_s", 2.2)),
)
