"""Heartbeats while an activity awaits something else, so that a dead worker is noticed within its heartbeat timeout."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from temporalio import activity

INTERVAL_SECONDS = 5.0


@asynccontextmanager
async def heartbeating() -> AsyncIterator[None]:
    """Send a heartbeat every five seconds for as long as the context lasts."""
    task = asyncio.create_task(_beat(), name="heartbeat")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _beat() -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(INTERVAL_SECONDS)
