"""``python -m bench.subjects.signal_loop ADDRESS HOME COUNT``: nothing but signal-with-start, 64 in flight.

What any operator can send at most with Temporal's Python SDK to this server.
"""

import asyncio
import json
import sys

from bench.sample import Sample
from bench.usage import Clock
from kraut_core.contracts.reconcile import ReconcileRequest
from kraut_core.settings import TemporalSettings
from kraut_core.temporal.connection import connect
from kraut_core.temporal.wake import wake_workflow

IN_FLIGHT = 64


async def send(address: str, home: str, count: int) -> Sample:
    """Wake ``count`` workflows; returns what it took and signals per second."""
    client = await connect(TemporalSettings(address=address))
    numbers = iter(range(count))
    request = ReconcileRequest(uid="0" * 36, generation=1, reason="Initial")

    async def lane() -> None:
        for number in numbers:
            await wake_workflow(client, home=home, kind="Host", namespace=home, name=f"h{number}", request=request)

    clock = Clock()
    async with asyncio.TaskGroup() as lanes:
        for _ in range(IN_FLIGHT):
            lanes.create_task(lane())
    used = clock.stop()
    return {**used, "per_s": count / used["wall_s"]}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(send(sys.argv[1], sys.argv[2], int(sys.argv[3])))) + "\n")
