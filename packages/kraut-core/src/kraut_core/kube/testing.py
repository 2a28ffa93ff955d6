"""For tests: a TCP proxy on loopback that breaks connections the way networks do."""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

CHUNK_BYTES = 16_384


class FaultProxy:
    """Passes bytes to ``target`` until told otherwise; a fault hits the connections that exist, new ones pass.

    ``refusing``: new connections are reset at once. ``silent``: new connections are accepted and carry nothing.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.refusing = False
        self.silent = False
        self.accepted = 0
        self._target = target
        self._gates: set[asyncio.Event] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._budget: int | None = None
        self._server: asyncio.Server | None = None

    @staticmethod
    @asynccontextmanager
    async def open(target_url: str) -> "AsyncIterator[FaultProxy]":
        """A proxy in front of ``https://host:port``."""
        host, _, port = target_url.rpartition("/")[2].rpartition(":")
        proxy = FaultProxy((host, int(port)))
        proxy._server = await asyncio.start_server(proxy._connected, "127.0.0.1", 0)
        try:
            yield proxy
        finally:
            proxy._server.close()
            proxy.reset()
            for gate in proxy._gates:
                gate.set()
            await proxy._server.wait_closed()

    @property
    def url(self) -> str:
        """Where to connect instead."""
        if self._server is None:
            raise RuntimeError("use it inside `async with FaultProxy.open(...)`")
        return f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def blackhole(self) -> None:
        """Existing connections stay open and carry nothing any more, in neither direction."""
        for gate in self._gates:
            gate.clear()

    def blackhole_all(self) -> None:
        """As `blackhole`, and new connections carry nothing either."""
        self.silent = True
        self.blackhole()

    def heal(self) -> None:
        """New connections pass, and those that were swallowed carry what waited."""
        self.refusing = self.silent = False
        for gate in self._gates:
            gate.set()

    def reset(self) -> None:
        """Existing connections end with RST."""
        for writer in tuple(self._writers):
            _reset(writer)

    def reset_after(self, count: int) -> None:
        """Pass ``count`` more bytes towards the client, on all connections together, then RST."""
        self._budget = count

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self.refusing:
            _reset(writer)
            return
        gate = asyncio.Event()
        if not self.silent:
            gate.set()
        self._gates.add(gate)
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(*self._target)
        except OSError:
            _reset(writer)
            return
        self._writers |= {writer, upstream_writer}
        with contextlib.suppress(OSError):
            await asyncio.gather(
                self._pump(reader, upstream_writer, gate, to_client=False),
                self._pump(upstream_reader, writer, gate, to_client=True),
            )
        for end in (writer, upstream_writer):
            self._writers.discard(end)
            end.close()
        self._gates.discard(gate)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: asyncio.Event, *, to_client: bool
    ) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            await gate.wait()
            if to_client and self._budget is not None:
                chunk, self._budget = chunk[: self._budget], self._budget - len(chunk)
            writer.write(chunk)
            await writer.drain()
            if self._budget is not None and self._budget <= 0:
                self._budget = None
                self.reset()
        writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    # A zero linger time makes close() send RST instead of FIN (socket(7)).
    raw = writer.get_extra_info("socket")
    if raw is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def point_kubeconfig(kubeconfig: Path, server: str, target: Path) -> Path:
    """Write a copy of ``kubeconfig`` to ``target`` whose clusters are all at ``server``."""
    import yaml  # noqa: PLC0415 - kubernetes_asyncio brings it

    document = yaml.safe_load(kubeconfig.read_text())
    for cluster in document["clusters"]:
        cluster["cluster"]["server"] = server
    target.write_text(json.dumps(document))
    target.chmod(0o600)
    return target
