"""``python -m kraut_lab.nemesis``: one run on a lab of its own; exit 1 when the checker found something."""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from kraut_lab.errors import LabError
from kraut_lab.lab import Lab
from kraut_lab.nemesis.checks import Violation, check
from kraut_lab.nemesis.fault import Fault
from kraut_lab.nemesis.history import read_history
from kraut_lab.nemesis.run import Course, run
from kraut_lab.nemesis.schedule import make_schedule, only
from kraut_lab.nemesis.shrink import shrink
from kraut_lab.owner import claim
from kraut_lab.watchdog import Watchdog


class Verb:
    """Runs of one schedule on one lab, each with a scene and a file of its own."""

    def __init__(self, lab: Lab, seed: int, minutes: float, folder: Path, began: float) -> None:
        self._lab = lab
        self._seed = seed
        self._minutes = minutes
        self._folder = folder
        self._began = began
        self._runs = 0

    def say(self, text: str) -> None:
        """A line for the person who waits."""
        click.echo(f"{time.monotonic() - self._began:7.1f}s  {text}", err=True)

    def run(self, faults: Sequence[Fault]) -> list[Violation]:
        """Run, check and tell."""
        self._runs += 1
        name = f"nemesis-{self._seed}-{self._runs}"
        file = self._folder / f"{name}.jsonl"
        self.say(f"run {self._runs} with {len(faults)} faults; history in {file}")
        machines = self._lab.hosts
        # Half of the hosts, rounded down, but one: the budget is to be fought for.
        course = Course(self._seed, self._minutes, faults, max_unavailable=max(1, len(machines) // 2))
        run(self._lab, machines, course, file, name=name, progress=self.say)
        violations = check(read_history(file))
        for violation in violations:
            self.say(str(violation))
        return violations


@click.command()
@click.option("--seed", type=int, help="Default: a random one, which is shown.")
@click.option("--hosts", default=3, show_default=True, type=click.IntRange(1, 20))
@click.option("--minutes", default=5.0, show_default=True, type=click.FloatRange(0.1, 24 * 60))
@click.option("--faults", "numbers", default="", help="Only these of the schedule, as in 3,7.")
@click.option(
    "--shrink", "shrinking", is_flag=True, help="When something is found, look for fewer faults that show it."
)
@click.option("--list", "listing", is_flag=True, help="Show the schedule and run nothing.")
@click.option("--folder", default="build/nemesis", show_default=True, type=click.Path(path_type=Path))
@click.option("--keep", is_flag=True, help="Leave the lab up.")
def main(
    *,
    seed: int | None,
    hosts: int,
    minutes: float,
    numbers: str,
    shrinking: bool,
    listing: bool,
    folder: Path,
    keep: bool,
) -> None:
    """Let random faults strike a lab with kraut on it, then check what became of it."""
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    faults = make_schedule(seed, hosts=hosts, minutes=minutes)
    if numbers:
        faults = only(faults, [int(number) for number in numbers.split(",")])
    click.echo(f"seed {seed}, {hosts} hosts, {minutes:g} minutes, {len(faults)} faults", err=True)
    if listing:
        click.echo("\n".join(str(fault) for fault in faults))
        return
    began = time.monotonic()
    lab = Lab(f"nemesis-{os.getpid()}")
    claim(lab.folder)
    watchdog = Watchdog(lab.folder)
    try:
        lab.up(hosts=hosts, components=False)
        verb = Verb(lab, seed, minutes, folder.absolute(), began)
        violations = verb.run(faults)
        if violations and shrinking:
            faults = shrink(faults, lambda some: bool(verb.run(some)))
            verb.say(f"these are enough: --faults {','.join(str(fault.number) for fault in faults)}")
    except LabError as error:
        click.echo(f"The lab failed, which says nothing of kraut: {error}", err=True)
        keep_logs(lab, folder)
        sys.exit(2)
    finally:
        if not keep:
            keep_logs(lab, folder)
            lab.down()
        watchdog.release()
    result = {"seed": seed, "hosts": hosts, "minutes": minutes, "faults": len(faults), "violations": len(violations)}
    click.echo(json.dumps({**result, "seconds": round(time.monotonic() - began)}))
    sys.exit(1 if violations else 0)


def keep_logs(lab: Lab, folder: Path) -> None:
    """Copies of the logs of kraut's processes, beside the histories."""
    for log in sorted((lab.folder / "logs").glob("kraut-*.log")):
        (folder / log.name).write_bytes(log.read_bytes())


if __name__ == "__main__":
    main()
