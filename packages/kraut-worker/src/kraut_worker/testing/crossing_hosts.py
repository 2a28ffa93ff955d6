"""Every connection to a host and every script on it as a crossing; a script's connection can be cut in mid output."""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from typing import Any

from kraut_core.testing.crossings import Crossings
from kraut_worker.adapters.ssh import session
from kraut_worker.ports import MAX_OUTPUT_BYTES, CommandResult, HostConnector, HostTarget, Shell

_CUTTING: ContextVar[bool] = ContextVar("cutting", default=False)

CUT = "cut"
"""The phase in which a part of a script's output has arrived and the connection breaks."""


class CrossingConnector:
    """A HostConnector around another one."""

    def __init__(self, inner: HostConnector, crossings: Crossings) -> None:
        self._inner = inner
        self._crossings = crossings

    @asynccontextmanager
    async def connect(self, target: HostTarget) -> AsyncIterator[Shell]:
        """As ``HostConnector.connect``."""
        async with AsyncExitStack() as stack:
            with self._crossings.around("ssh connect"):
                shell = await stack.enter_async_context(self._inner.connect(target))
            yield CrossingShell(shell, self._crossings)

    async def learn_host_key(self, target: HostTarget) -> str:
        """As ``HostConnector.learn_host_key``."""
        with self._crossings.around("ssh learn host key"):
            return await self._inner.learn_host_key(target)


class CrossingShell:
    """A Shell around another one; its crossings bear the name of the function that runs the script."""

    def __init__(self, inner: Shell, crossings: Crossings) -> None:
        self._inner = inner
        self._crossings = crossings

    @property
    def host_key(self) -> str:
        """As ``Shell.host_key``."""
        return self._inner.host_key

    @property
    def machine_id(self) -> str:
        """As ``Shell.machine_id``."""
        return self._inner.machine_id

    async def run(self, script: str, *, timeout_seconds: float, max_output: int = MAX_OUTPUT_BYTES) -> CommandResult:
        """As ``Shell.run``."""
        caller = sys._getframe(1).f_code.co_name  # noqa: SLF001 - the one way to a name that needs no list
        with self._crossings.around(f"ssh {caller}") as point:
            token = _CUTTING.set(point.reach(CUT))
            try:
                return await self._inner.run(script, timeout_seconds=timeout_seconds, max_output=max_output)
            finally:
                _CUTTING.reset(token)


class _CuttingCollector(session._Collector):  # noqa: SLF001 - what arrives is not known to anybody else
    """Aborts the connection when the first half of the first piece of output has arrived, if that is wanted."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._cutting = _CUTTING.get()
        self._channel: Any = None

    def connection_made(self, chan: Any) -> None:
        self._channel = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if not self._cutting:
            super().data_received(data, datatype)
            return
        super().data_received(data[: len(data) // 2], datatype)
        self._channel.get_connection().abort()


def install_cutter() -> None:
    """Let scripts of this process be cut; without it the phase ``cut`` does nothing."""
    session._Collector = _CuttingCollector  # type: ignore[misc]  # noqa: SLF001
