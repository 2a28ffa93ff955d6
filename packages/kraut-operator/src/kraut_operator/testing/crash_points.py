"""``python -m kraut_operator.testing.crash_points PLAN``: kraut-operator, killed where a plan says so.

PLAN is the file of a ``kraut_core.testing.crossings.CrashPlan``; without it, it is kraut-operator.
"""

import asyncio
import sys
from pathlib import Path

from kraut_core.instruments import Instruments
from kraut_core.logs import configure_logs
from kraut_core.settings import load_settings
from kraut_core.testing.crossing_kube import WATCHER, crossing_kube
from kraut_core.testing.crossing_signals import CrossingSignals
from kraut_core.testing.crossings import Crossings
from kraut_operator.__main__ import run
from kraut_operator.process import COMPONENT
from kraut_operator.settings import OperatorProcessSettings


def main(plan_file: Path) -> None:
    """Run until SIGTERM, SIGINT or the crash point."""
    crossings = Crossings(plan_file)
    instruments = Instruments(
        temporal=[CrossingSignals(crossings, sender=WATCHER)], kube=lambda kube: crossing_kube(kube, crossings)
    )
    settings = load_settings(OperatorProcessSettings)
    configure_logs(settings.log, component=COMPONENT)
    asyncio.run(run(settings, instruments))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
