"""The proxy as a process, started, asked and killed by tests."""

import asyncio
import contextlib
import json
import signal
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kraut_core.testing.processes import GUARD
from kraut_oidc_proxy.protocol import REQUEST_SECONDS

POLL_SECONDS = 0.05
PATIENCE_SECONDS = 150.0


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Connection:
    """HTTP/1.1 written by hand: what is sent is exactly what the test says."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @staticmethod
    @asynccontextmanager
    async def open(
        port: int, tls: ssl.SSLContext | None = None, name: str = "localhost"
    ) -> "AsyncIterator[Connection]":
        """Connect to a port on loopback."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=tls, server_hostname=name if tls else None, limit=1 << 20
        )
        try:
            yield Connection(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    @property
    def certificate(self) -> bytes:
        """The server's certificate, DER."""
        found: bytes = self._writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return found

    async def get(self, path: str, *, method: str = "GET", **headers: str) -> Reply:
        """One request; ``If_None_Match="x"`` is a header."""
        named = {"Host": "localhost", **{name.replace("_", "-"): value for name, value in headers.items()}}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items())]
        return await self.send(("\r\n".join(lines) + "\r\n\r\n").encode(), bodiless=method == "HEAD")

    async def send(self, request: bytes, *, bodiless: bool = False) -> Reply:
        """Send bytes and read one answer. Raises ConnectionError when there is none."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            self._writer.write(request)
            await self._writer.drain()
            return await self._answer(bodiless=bodiless)

    async def _answer(self, *, bodiless: bool) -> Reply:
        try:
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError as error:
            raise ConnectionError("the server closed the connection") from error
        first, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split(" ")[1])
        length = 0 if bodiless or status == 304 else int(headers.get("content-length", "0"))
        return Reply(status, headers, await self._reader.readexactly(length))


def stood_still(error: OSError, began: float) -> bool:
    """Whether a try that began then (monotonic) lost its connection since the client itself took too long: it is worth another."""
    return not isinstance(error, TimeoutError) and time.monotonic() - began >= REQUEST_SECONDS


class ProxyProcess:
    """One ``python -m kraut_oidc_proxy``; its log is JSON lines in a file."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self._log = log

    @staticmethod
    @asynccontextmanager
    async def running(
        settings: Mapping[str, str], log: Path, *, inside: Sequence[str] = ()
    ) -> "AsyncIterator[ProxyProcess]":
        """Start one with these variables and nothing else; killed at the end if it still runs.

        ``inside``: words in front of its command, which must end in its place (exec).
        """
        defaults = {
            "KRAUT_OIDC_HOST": "127.0.0.1",
            "KRAUT_OIDC_PORT": "0",
            "KRAUT_PROBE_HOST": "127.0.0.1",
            "KRAUT_PROBE_PORT": "0",
            "KRAUT_OIDC_POLL_SECONDS": "1",
        }
        with log.open("ab") as sink:
            process = await asyncio.create_subprocess_exec(
                *GUARD,
                *inside,
                *(sys.executable, "-W", "error", "-m", "kraut_oidc_proxy"),
                env={**defaults, **settings},
                stderr=sink,
            )
        proxy = ProxyProcess(process, log)
        try:
            await proxy.until(lambda: bool(proxy.logged("started")), "starts")
            yield proxy
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    @property
    def port(self) -> int:
        """The public port."""
        return int(self.logged("started")[-1]["port"])

    @property
    def probe_port(self) -> int:
        """The port of probes and metrics."""
        return int(self.logged("started")[-1]["probe_port"])

    @property
    def log_text(self) -> str:
        """All that it logged."""
        return self._log.read_text()

    def logged(self, event: str) -> list[dict[str, Any]]:
        """All records of an event."""
        lines = [json.loads(line) for line in self.log_text.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    async def get(self, path: str, **options: Any) -> Reply:
        """One request on a connection of its own; options as of ``Connection.get``, ``tls`` and ``port``."""
        tls, port = options.pop("tls", None), options.pop("port", self.port)
        while True:
            began = time.monotonic()
            try:
                async with Connection.open(port, tls) as connection:
                    return await connection.get(path, **options)
            except OSError as error:
                if not stood_still(error, began):
                    error.add_note(self.log_text)
                    raise

    async def probe(self, path: str) -> Reply:
        """GET /livez, /readyz or /metrics."""
        return await self.get(path, port=self.probe_port)

    async def metric(self, name: str) -> float:
        """The sum of a metric over all its labels; 0 when it was never counted."""
        lines = (await self.probe("/metrics")).body.decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.partition(" ")[0].partition("{")[0] == name)

    async def until_get(self, path: str, wanted: Callable[[Reply], bool], **options: Any) -> Reply:
        """Ask until the answer is as wanted. Raises AssertionError with the last one."""
        found = await self.get(path, **options)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not wanted(found):
                    await asyncio.sleep(POLL_SECONDS)
                    found = await self.get(path, **options)
        except TimeoutError:
            raise AssertionError(f"{path} never answered as wanted, last {found}\n{self.log_text}") from None
        return found

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition on its log. Raises AssertionError with the log."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not condition():
                    if self.process.returncode is not None:
                        raise AssertionError(f"it ended before it {what}: {self.log_text}")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise AssertionError(f"it never {what}: {self.log_text}") from None

    async def terminate(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.process.wait()
