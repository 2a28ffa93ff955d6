"""The parts of a process, run side by side until it is told to stop or one of them ends."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def run_until(stopping: asyncio.Event, *parts: Coroutine[Any, Any, None]) -> None:
    """Run all parts until ``stopping``; a part that ends takes the others with it, and its error is raised."""
    tasks = [asyncio.create_task(part) for part in parts]
    stop = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait([*tasks, stop], return_when=asyncio.FIRST_COMPLETED)
    for task in (*tasks, stop):
        task.cancel()
    await asyncio.gather(*tasks, stop, return_exceptions=True)
    for task in done - {stop}:
        task.result()
