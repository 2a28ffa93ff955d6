"""``python -m bench [FIGURE ...]``: measure, write JSON, write the table. Without figures: all of them."""

import argparse
import json
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.figure import NAMES, find
from bench.machine import describe_machine, describe_versions
from bench.peers.build import GO
from bench.report import render
from bench.stage import Sizes, Stage, own_folder
from bench.subject import ROOT

REPORTS = ROOT / "docs" / "reports"


def main() -> None:
    """Measure what the arguments name."""
    options = _arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = options.lab
        for name in options.figures:
            folder = folder or stack.enter_context(own_folder())
            record = measure(name, folder, options)
            (options.out / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    (options.out.parent / "benchmarks.md").write_text(render(options.out))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "figures", nargs="*", metavar="FIGURE", help=f"all, none (only the table), or {', '.join(NAMES)}"
    )
    parser.add_argument("--size", type=int, help="how much of what the figure counts (default: the figure's)")
    parser.add_argument("--rounds", type=int, help="rounds of each contender (default: the figure's, 5)")
    parser.add_argument("--hosts", type=int, help="real hosts of the lab (default: as many as the figure counts)")
    parser.add_argument("--lab", type=Path, help="folder of a running lab to use (default: one of its own)")
    parser.add_argument("--out", type=Path, default=REPORTS / "benchmarks", help="folder of the JSON files")
    options = parser.parse_args()
    if options.figures in ([], ["all"]):
        options.figures = list(NAMES)
    elif options.figures == ["none"]:
        options.figures = []
    return options


def measure(name: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one figure; returns its record."""
    figure = find(name)
    sizes = Sizes(
        options.size or figure.size, options.rounds or figure.rounds, options.hosts or options.size or figure.size
    )
    stage = Stage(folder, sizes, _say)
    machine, began = describe_machine(), time.monotonic()
    _say(f"== {name}: {sizes.size} {figure.size_of}, {sizes.rounds} rounds")
    samples = figure.measure(stage)
    _say(f"== {name} took {time.monotonic() - began:.0f} s")
    return {
        "figure": name,
        "measured": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "took_s": round(time.monotonic() - began),
        "size": sizes.size,
        "size_of": figure.size_of,
        "rounds": sizes.rounds,
        "notes": stage.notes,
        "machine": machine,
        "versions": describe_versions(GO / "go.mod"),
        "samples": {contender: [_rounded(sample) for sample in found] for contender, found in samples.items()},
    }


def _rounded(sample: Any) -> dict[str, float]:
    return {metric: float(f"{value:.4g}") for metric, value in sample.items()}


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main()
