"""``python -m kraut_worker.testing.crash_points PLAN``: kraut-worker, killed where a plan says so.

PLAN is the file of a ``kraut_core.testing.crossings.CrashPlan``; without it, it is kraut-worker.
"""

import asyncio
import sys
from pathlib import Path

from kraut_core.logs import configure_logs
from kraut_core.settings import load_settings
from kraut_core.testing.crossing_kube import crossing_kube
from kraut_core.testing.crossings import Crossings
from kraut_worker.__main__ import run
from kraut_worker.instruments import WorkerInstruments
from kraut_worker.settings import WorkerProcessSettings
from kraut_worker.testing.crossing_activities import CrossingActivities
from kraut_worker.testing.crossing_hosts import CrossingConnector, install_cutter


def main(plan_file: Path) -> None:
    """Run until SIGTERM, SIGINT or the crash point."""
    crossings = Crossings(plan_file)
    install_cutter()
    instruments = WorkerInstruments(
        temporal=[CrossingActivities(crossings)],
        kube=lambda kube: crossing_kube(kube, crossings),
        hosts=lambda connector: CrossingConnector(connector, crossings),
    )
    settings = load_settings(WorkerProcessSettings)
    configure_logs(settings.log, component="kraut-worker")
    asyncio.run(run(settings, instruments))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
