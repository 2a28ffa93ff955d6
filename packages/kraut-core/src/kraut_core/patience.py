"""A deadline that a process which stood still does not hold against others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def patience(seconds: float, last: float = 1.0) -> AsyncIterator[None]:
    """As ``asyncio.timeout``, whose ``last`` seconds (at most half of them) are counted by a timer of their own.

    After a standstill (CPU limits, SIGSTOP, a suspended virtual machine) an event loop runs the timers that are due before it
    reads, and ``asyncio.timeout`` ends even a wait whose answer is there. Here what was said meanwhile is still heard.

    Raises TimeoutError.
    """
    loop = asyncio.get_running_loop()
    last = min(last, seconds / 2)
    async with asyncio.timeout(None) as limit:
        timer = loop.call_later(seconds - last, lambda: limit.reschedule(loop.time() + last))
        try:
            yield
        finally:
            timer.cancel()
