"""Time, processor time and memory, read from the kernel: of this process, of a child, of a running one."""

import os
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.sample import Sample

_TICKS = os.sysconf("SC_CLK_TCK")
_KIB_PER_MIB = 1024


class Clock:
    """Notes a moment of this process; ``stop`` tells what was used since, and the peak of its memory."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    def stop(self) -> Sample:
        """``wall_s``, ``cpu_s`` and ``peak_mib``; the names that the Go programs use too."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return {"wall_s": wall, "cpu_s": cpu, "peak_mib": memory_mib(os.getpid(), "VmHWM")}


def memory_mib(pid: int, field: str) -> float:
    """A line of /proc/PID/status (proc(5)) in MiB: VmHWM is the peak since exec, VmRSS what is resident now.

    ru_maxrss of getrusage(2) will not do: it counts the parent that the process was forked from.
    """
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) / _KIB_PER_MIB
    raise ValueError(f"expected a line {field} in /proc/{pid}/status, found none")


def cpu_seconds(pid: int) -> float:
    """User and system time of a running process and of the children that it waited for (proc(5), fields 14 to 17)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / _TICKS


def machine_cpu_seconds() -> float:
    """What all processors of the machine have worked since it started, whoever for (proc(5), /proc/stat): all but idle, iowait, steal."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    return sum(int(ticks) for ticks in (user, nice, system, irq, softirq)) / _TICKS


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that ended: what it used together with all its children, and what it printed."""

    wall_s: float
    cpu_s: float
    stdout: str


def run(argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Finished:
    """Run a program to its end. Raises ChildProcessError with what it said when it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(argv, env=env, cwd=cwd, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        said = f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        raise ChildProcessError(f"{argv[0]} should end well, it ended with {done.returncode}: {said}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Finished(wall, cpu, done.stdout)
