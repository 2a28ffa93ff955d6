"""``python -m kraut_operator.testing.measured FILE RESYNC_SECONDS``: kraut-operator, writing down each second what must not grow.

Resyncs may come faster than its settings allow, and what only events tell is kept for some of them, not for ten minutes.
"""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

from kraut_core.logs import configure_logs
from kraut_core.settings import load_settings
from kraut_operator import controller
from kraut_operator.process import COMPONENT, Operator
from kraut_operator.settings import OperatorProcessSettings

PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
SECONDS = 1.0
UNTOLD_RESYNCS = 15
"""How long a standby keeps what it never tells, in resyncs: long enough for the leader to have told it."""


class MeasuredOperator(Operator):
    """An operator that knows its own size."""

    async def measure(self, file: Path) -> None:
        """Append a sample each second, as JSON lines, until cancelled."""
        with file.open("a") as sink:
            while True:
                sink.write(json.dumps(self._sample()) + "\n")
                sink.flush()
                await asyncio.sleep(SECONDS)

    def _sample(self) -> dict[str, float]:
        return {
            "seconds": round(time.monotonic(), 1),
            "rss_kib": int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_KIB,
            "blocks": sys.getallocatedblocks(),
            "descriptors": sum(1 for _ in Path("/proc/self/fd").iterdir()),
            "tasks": len(asyncio.all_tasks()),
            "queue": self._controller.queue.held,
            "ledger": len(self._controller.ledger),
        }


async def run(file: Path, resync_seconds: int) -> None:
    """Run until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    settings = load_settings(OperatorProcessSettings)
    controller.UNTOLD_SECONDS = UNTOLD_RESYNCS * float(resync_seconds)
    quick = settings.operator.model_copy(update={"resync_seconds": resync_seconds})
    settings = settings.model_copy(update={"operator": quick})
    configure_logs(settings.log, component=COMPONENT)
    operator = MeasuredOperator(settings)
    measuring = asyncio.create_task(operator.measure(file))
    await operator.run(stopping)
    measuring.cancel()


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2])))
