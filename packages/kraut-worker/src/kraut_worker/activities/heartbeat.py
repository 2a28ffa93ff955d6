"""Heartbeats while an activity awaits something else, so that a dead worker is noticed within its heartbeat timeout."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from temporalio import activity

INTERVAL_SECONDS = 5.0


@asynccontextmanager
async def heartbeating(cursor: Callable[[], object] | None = None) -> AsyncIterator[None]:
    """Send a heartbeat every five seconds for as long as the context lasts; ``cursor`` says where a next attempt resumes.

    Without a cursor the first one comes after five seconds: most looks at a host end before, and each heartbeat is a write
    in Temporal's database.
    """
    task = asyncio.create_task(_beat(cursor), name="heartbeat")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _beat(cursor: Callable[[], object] | None) -> None:
    if cursor is None:
        await asyncio.sleep(INTERVAL_SECONDS)
    while True:
        activity.heartbeat(*(() if cursor is None else (cursor(),)))
        await asyncio.sleep(INTERVAL_SECONDS)
