"""``python -m kraut_operator``: settings, logs, signals."""

import asyncio
import signal
import sys
from importlib.metadata import version

from kraut_core.errors import KrautError
from kraut_core.instruments import Instruments
from kraut_core.logs import configure_logs
from kraut_core.settings import load_settings
from kraut_operator.process import COMPONENT, Operator
from kraut_operator.settings import OperatorProcessSettings


def main() -> None:
    """Run until SIGTERM or SIGINT; exit 1 when the configuration cannot be used, the Lease is lost or a part breaks."""
    if {"--version", "--help", "-h"} & set(sys.argv[1:]):
        sys.stdout.write(
            f"{COMPONENT} {version(COMPONENT)}: settings are KRAUT_ variables, see docs/reference/settings.md\n"
        )
        return
    try:
        settings = load_settings(OperatorProcessSettings)
        configure_logs(settings.log, component=COMPONENT)
        asyncio.run(run(settings))
    except KrautError as error:
        sys.stderr.write(f"{COMPONENT}: {error}\n")
        sys.exit(1)


async def run(settings: OperatorProcessSettings, instruments: Instruments | None = None) -> None:
    """Run until SIGTERM or SIGINT. Raises KrautError when the configuration cannot be used."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await Operator(settings, instruments=instruments).run(stopping)


if __name__ == "__main__":
    main()
