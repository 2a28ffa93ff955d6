"""One real host of the lab, reached as kraut reaches hosts, and left without a trace of kraut after each test."""

import asyncio
import contextlib
import itertools
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from kraut_core.api.v1alpha1.host import OperationType
from kraut_core.errors import TransientError
from kraut_worker.adapters.ssh import SshConnector, SshSettings
from kraut_worker.operations.protocol import OperationSpec, OperationState, StartOutcome, poll, start
from kraut_worker.ports import Credentials, HostTarget, Shell

PATIENT = SshSettings(connect_timeout_seconds=60, login_timeout_seconds=120)
"""A host that is up but stands still, as its machine may, is not unreachable."""


@dataclass
class Host:
    """A lab host (``real``: kraut_lab's handle) and how it is reached."""

    real: Any
    target: HostTarget
    connector: SshConnector
    tokens: Iterator[int]

    def spec(self, script: str, *, type_: OperationType = "UpdatePackages", **changes: Any) -> OperationSpec:
        spec = OperationSpec(
            id=str(uuid.uuid4()), type=type_, fencing_token=next(self.tokens), boot_id=self.real.boot_id, script=script
        )
        return replace(spec, **changes)

    def exec(self, command: str) -> str:
        """Run as root on the console, past SSH; its output, whatever its status."""
        return str(self.real.exec(command, check=False).stdout)

    async def call(self, use: Callable[[Shell], Awaitable[Any]]) -> Any:
        async with self.connector.connect(self.target) as shell:
            return await use(shell)

    async def start(self, spec: OperationSpec) -> StartOutcome:
        async with self.connector.connect(self.target) as shell:
            return await start(shell, spec)

    async def poll(self, id_: str, offset: int = 0, **options: Any) -> OperationState:
        async with self.connector.connect(self.target) as shell:
            return await poll(shell, id_, offset, **options)

    @asynccontextmanager
    async def through(self, proxy: "CuttingProxy") -> AsyncIterator["Host"]:
        """The same host, reached through a proxy by a pool of its own."""
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, SshConnector(PATIENT) as connector:
            yield replace(self, connector=connector, target=replace(self.target, address="127.0.0.1", port=port))

    async def finish(self, id_: str, offset: int = 0) -> tuple[OperationState, bytes]:
        """Poll until the operation ended and its output was read."""
        output = b""
        async with asyncio.timeout(300):
            while True:
                # A pooled connection may be of a boot that is over.
                with contextlib.suppress(TransientError):
                    state = await self.poll(id_, offset, wait_seconds=20)
                    output, offset = output + state.chunk, state.offset
                    if state.drained:
                        return state, output


class CuttingProxy:
    """TCP to a host; each connection is reset after so many bytes upstream or downstream, later ones live.

    ``cuts`` are (direction, bytes): ``up`` is what the client sends. ``made`` counts the cuts that happened.
    """

    def __init__(self, address: str, port: int, cuts: list[tuple[str, int]]) -> None:
        self._address, self._port, self._cuts = address, port, list(cuts)
        self.made = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        direction, after = self._cuts.pop(0) if self._cuts else ("up", 1 << 60)
        there, to_host = await asyncio.open_connection(self._address, self._port)
        pumps = [
            asyncio.ensure_future(self._pump(reader, to_host, after if direction == "up" else 1 << 60)),
            asyncio.ensure_future(self._pump(there, writer, after if direction == "down" else 1 << 60)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        for end in (writer, to_host):
            end.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, left: int) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                sink.write(data[:left])
                await sink.drain()
                left -= len(data)
                if left <= 0:
                    self.made += 1
                    return


@pytest.fixture
def cutting_proxy(target: HostTarget) -> Callable[[list[tuple[str, int]]], CuttingProxy]:
    """Make a proxy to the host that cuts its connections, one after the other, where it is told."""
    return lambda cuts: CuttingProxy(target.address, target.port, cuts)


@pytest.fixture(scope="session")
def target(lab: Any) -> HostTarget:
    real = lab.hosts[0]
    return HostTarget(
        address=real.address,
        port=real.port,
        user=real.user,
        host_keys=(real.host_key,),
        machine_id=real.machine_id,
        credentials=Credentials(private_key=lab.ssh.private_key.read_bytes()),
    )


@pytest.fixture
async def host(lab: Any, target: HostTarget) -> AsyncIterator[Host]:
    """The lab's first host; what a test started is ended, what kraut left is removed."""
    real = lab.hosts[0]
    real.power_on()
    async with SshConnector(PATIENT) as connector:
        yield Host(real=real, target=target, connector=connector, tokens=itertools.count(1))
    await asyncio.to_thread(_clean, real)


# They refuse to be stopped, and are gone a moment after they were killed.
END = """
for unit in $(systemctl list-units --no-legend --plain --all 'kraut-*.service' | cut -d ' ' -f 1); do
  systemctl kill --signal=KILL "$unit"
  while systemctl is-active --quiet "$unit"; do sleep 0.1; done
done
umount /var/lib/kraut
rm -rf /var/lib/kraut /run/kraut-released
"""


def _clean(real: Any) -> None:
    real.network.heal()
    real.power_on()
    real.exec(END, check=False)
