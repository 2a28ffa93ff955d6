"""Cold sync: every Host from the API server into the cache, against client-go and against not looking at all."""

import asyncio
import json
from functools import partial
from pathlib import Path

from bench import objects
from bench.figure import Aim, Figure
from bench.peers.build import go_program
from bench.sample import Sample, Samples, interleave
from bench.stage import Stage
from bench.subject import ROOT, python
from bench.usage import run

KRAUT = "kraut"
DYNAMIC = "client-go dynamic"
STRIPPED = "client-go stripped"
DRAIN_GO = "drain (Go)"
DRAIN_PYTHON = "drain (Python)"


def measure(stage: Stage) -> Samples:
    """All contenders read the same objects, one after the other."""
    namespace = f"sync-{stage.sizes.size}"
    stage.say(f"making {stage.sizes.size} Hosts")
    size = asyncio.run(_prepare(stage, namespace))
    stage.notes.append(f"{stage.sizes.size} Hosts of {size} bytes of JSON each")
    kubeconfig = str(stage.plane.kubeconfig())
    flags = [f"-kubeconfig={kubeconfig}", f"-namespace={namespace}"]
    contenders = {
        KRAUT: python("bench.subjects.informer", kubeconfig, namespace),
        DYNAMIC: [go_program("sync"), *flags],
        STRIPPED: [go_program("sync"), *flags, "-strip"],
        DRAIN_GO: [go_program("drain"), *flags],
        DRAIN_PYTHON: python("bench.subjects.drain", kubeconfig, namespace),
    }
    return interleave(
        {name: partial(_run, stage.sizes.size, argv) for name, argv in contenders.items()}, stage.sizes.rounds
    )


async def _prepare(stage: Stage, namespace: str) -> int:
    async with objects.connect(stage.plane) as kube:
        await objects.populate(kube, namespace, range(stage.sizes.size))
        return await objects.stored_bytes(kube, namespace, 0)


def _run(expected: int, argv: list[str], _round: int) -> Sample:
    found = json.loads(run(argv, env={"PATH": "/usr/bin:/bin"}, cwd=Path(ROOT)).stdout)
    facts = found | found.get("extra", {})
    if facts.get("objects", expected) != expected or facts.get("watch_lists", 1) != 1:
        raise ValueError(f"expected one WatchList of {expected} objects by {argv[0]}, found {facts}")
    return {metric: found[metric] for metric in ("wall_s", "cpu_s", "peak_mib")}


AIMS = (
    Aim(KRAUT, "wall_s", 0.7, DYNAMIC),
    Aim(KRAUT, "peak_mib", 0.25, DYNAMIC),
    Aim(KRAUT, "peak_mib", 1.5, STRIPPED),
    Aim(KRAUT, "wall_s", 1.3, DRAIN_GO),
    Aim(KRAUT, "wall_s", 1.3, DRAIN_PYTHON),
)

FIGURE = Figure(
    title="Cold sync of 10,000 Hosts: from the first request until every one was compared",
    size=10_000,
    size_of="Hosts",
    measure=measure,
    aims=AIMS,
)
