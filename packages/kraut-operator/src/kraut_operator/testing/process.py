"""The operator as a process, started, asked and killed by tests."""

import asyncio
import json
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from kraut_core.testing.processes import GUARD

POLL_SECONDS = 0.05
PATIENCE_SECONDS = 300.0
"""For what must come; on a machine with much to do, or that stands still, a start alone takes minutes."""


class OperatorProcess:
    """One ``python -m kraut_operator``; its log is JSON lines in a file."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self._log = log

    @staticmethod
    @asynccontextmanager
    async def running(
        settings: Mapping[str, str], log: Path, *, program: Sequence[str] = ("-m", "kraut_operator")
    ) -> "AsyncIterator[OperatorProcess]":
        """Start one with these variables and nothing else; killed at the end if it still runs."""
        defaults = {"KRAUT_PROBE_HOST": "127.0.0.1", "KRAUT_PROBE_PORT": "0", "KRAUT_LOG_LEVEL": "debug"}
        with log.open("ab") as sink:
            process = await asyncio.create_subprocess_exec(
                *GUARD, sys.executable, "-W", "error", *program, env={**defaults, **settings}, stderr=sink
            )
        operator = OperatorProcess(process, log)
        try:
            yield operator
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    def logged(self, event: str) -> list[dict[str, Any]]:
        """All records of an event."""
        lines = [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    async def port(self) -> int:
        """The port of its probes, once it listens."""
        await self.until(lambda: bool(self.logged("started")), "starts")
        return int(self.logged("started")[-1]["port"])

    async def readyz(self) -> str:
        """The answer of /readyz, whatever its status; empty when nothing listens."""
        return await self._get("readyz")

    async def ready(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until it is ready."""
        text = ""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    text = await self.readyz()
                    if text.endswith("\nok\n"):
                        return
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise AssertionError(f"not ready: {text}\n{self._log.read_text()}") from None

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric over all its labels, or over those that have these values; 0 when it was never counted."""
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        samples = (line.rpartition(" ") for line in (await self._get("metrics")).splitlines())
        return sum(
            float(value)
            for sample, _, value in samples
            if sample.partition("{")[0] == name and all(pair in sample for pair in wanted)
        )

    async def metric_from(self, least: float, name: str, **labels: str) -> float:
        """The metric once it is at least so much, else the last one found: what others saw already is counted a moment later."""
        found = 0.0
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    found = await self.metric(name, **labels)
                    if found >= least:
                        break
                    await asyncio.sleep(POLL_SECONDS)
        return found

    async def until(self, condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait for a condition on its log. Raises AssertionError with the log."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    if self.process.returncode is not None:
                        raise AssertionError(f"it ended before it {what}: {self._log.read_text()}")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise AssertionError(f"within {seconds:.0f} s it never {what}: {self._log.read_text()}") from None

    async def terminate(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.process.wait()

    async def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        await self.process.wait()

    async def _get(self, path: str) -> str:
        port = await self.port()
        return await asyncio.to_thread(_fetch, f"http://127.0.0.1:{port}/{path}")


def _fetch(url: str) -> str:
    try:
        # Where nothing listens it is refused at once: only a machine that stands still takes long.
        with urllib.request.urlopen(url, timeout=120) as answer:  # noqa: S310 - loopback
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()
    except OSError:
        return ""
