"""How many logins go on at the same time; who is slow loses the place, and not the connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Handshakes:
    """Places for logins. A login that takes long gives its place back and goes on: it waits for the host, and costs nothing."""

    def __init__(self, places: int, *, patience_seconds: float) -> None:
        self._free = asyncio.Semaphore(places)
        self._patience_seconds = patience_seconds

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place and have it, for the patience at most."""
        await self._free.acquire()
        held = True

        def give_back() -> None:
            nonlocal held
            if held:
                held = False
                self._free.release()

        timer = asyncio.get_running_loop().call_later(self._patience_seconds, give_back)
        try:
            yield
        finally:
            timer.cancel()
            give_back()
