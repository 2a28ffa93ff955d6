"""A TCP proxy in front of a server, whose far end can be put out of reach: for tests without an event loop of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from kraut_core.kube.testing import FaultProxy

T = TypeVar("T")


class TcpFaults:
    """`FaultProxy` in a thread. ``address`` is where to connect instead of the server."""

    def __init__(self, proxy: FaultProxy, loop: asyncio.AbstractEventLoop) -> None:
        self._proxy = proxy
        self._loop = loop
        self.address = proxy.url.removeprefix("https://")

    @staticmethod
    @contextmanager
    def in_front_of(address: str) -> Iterator[TcpFaults]:
        """Run a proxy to ``host:port`` for as long as the context lasts."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="tcp-faults", daemon=True)
        thread.start()
        opened = FaultProxy.open(f"tcp://{address}")
        try:
            proxy = asyncio.run_coroutine_threadsafe(opened.__aenter__(), loop).result(30)
            try:
                yield TcpFaults(proxy, loop)
            finally:
                asyncio.run_coroutine_threadsafe(opened.__aexit__(None, None, None), loop).result(30)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(30)
            loop.close()

    @contextmanager
    def partition(self) -> Iterator[None]:
        """Connections, those that stand and new ones, carry nothing, and nobody is told. Healed, they carry what waited."""
        self._call(self._proxy.blackhole_all)
        try:
            yield
        finally:
            self._call(self._proxy.heal)

    @contextmanager
    def refuse(self) -> Iterator[None]:
        """Connections that stand are reset, and new ones at once."""
        self._call(self._refuse)
        try:
            yield
        finally:
            self._call(self._proxy.heal)

    def _refuse(self) -> None:
        self._proxy.refusing = True
        self._proxy.reset()

    def _call(self, act: Callable[[], T]) -> T:
        async def run() -> T:
            return act()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(30)
