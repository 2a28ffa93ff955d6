"""A process that a figure starts, asks and ends."""

import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bench.usage import cpu_seconds, memory_mib
from kraut_core.testing.processes import GUARD
from kraut_lab.ports import choose_ports
from kraut_lab.waiting import wait_until

PATIENCE_SECONDS = 180.0
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Ack:
    """A signal that Temporal acknowledged: for which object, which generation, when (ns since the epoch)."""

    name: str
    generation: int
    at_ns: int


class Subject:
    """A running program whose standard output is read as it grows; ended with the ``with`` block."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], *, probe_port: int = 0) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="kraut-bench-")
        self._out = Path(self._folder.name) / "out"
        self._err = Path(self._folder.name) / "err"
        self._probe_port = probe_port
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen([*GUARD, *argv], env=dict(env), cwd=ROOT, stdout=out, stderr=err)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._folder.cleanup()

    @property
    def lines(self) -> list[str]:
        """The whole lines it has printed."""
        return self._out.read_text().rpartition("\n")[0].splitlines()

    @property
    def acks(self) -> list[Ack]:
        """Acknowledged signals, printed as ``name generation nanoseconds``."""
        found = [line.split() for line in self.lines]
        return [Ack(words[0], int(words[1]), int(words[2])) for words in found if len(words) == 3]

    @property
    def cpu_s(self) -> float:
        """Processor time used until now."""
        return cpu_seconds(self.process.pid)

    @property
    def peak_mib(self) -> float:
        """Peak of its memory until now."""
        return memory_mib(self.process.pid, "VmHWM")

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def wait_ready(self) -> None:
        """Wait until /readyz answers 200, or without probes until it printed ``ready``."""
        self.wait(self._is_ready, "it is ready")

    def wait_acks(self, count: int) -> list[Ack]:
        """Wait for so many acknowledged signals, 5 a second at least; returns all there are."""
        patience = PATIENCE_SECONDS + count / 5
        self.wait(
            lambda: len(self.acks) >= count, f"it had {count} signals acknowledged", interval=0.2, patience=patience
        )
        return self.acks

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels, from its probes. Raises KeyError when there is none."""
        return read_metric(f"http://127.0.0.1:{self._probe_port}/metrics", name)

    def wait(
        self,
        condition: Callable[[], bool],
        what: str,
        *,
        interval: float = 0.02,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """Wait for a condition. Raises ChildProcessError with its log when the program ends first."""

        def check() -> bool:
            if condition():
                return True
            if self.process.poll() is not None:
                raise ChildProcessError(f"it ended with {self.process.returncode} before {what}: {self.log_tail()}")
            return False

        try:
            wait_until(check, what, timeout=patience, interval=interval)
        except Exception as error:
            error.add_note(self.log_tail())
            raise

    def log_tail(self) -> str:
        """The end of its standard error."""
        return self._err.read_text()[-3000:]

    def _is_ready(self) -> bool:
        if not self._probe_port:
            return "ready" in self.lines
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._probe_port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def read_metric(url: str, name: str) -> float:
    """The sum of a metric over its labels, from a page in Prometheus' text format. Raises KeyError when there is none."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    values = [line.rpartition(" ")[2] for line in lines if line.partition(" ")[0].partition("{")[0] == name]
    if not values:
        raise KeyError(name)
    return sum(map(float, values))


def python(module: str, *arguments: str) -> list[str]:
    """The arguments that run a module of this repository."""
    return [sys.executable, "-m", module, *arguments]


def start_operator(settings: Mapping[str, str]) -> Subject:
    """kraut-operator as it is shipped, printing each acknowledged signal."""
    [port] = choose_ports(1)
    env = {"KRAUT_PROBE_HOST": "127.0.0.1", "KRAUT_PROBE_PORT": str(port), "KRAUT_LOG_LEVEL": "info", **settings}
    return Subject(python("bench.subjects.operator"), env, probe_port=port)
