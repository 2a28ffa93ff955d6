"""``python -m kraut_oidc_proxy``: settings, logs, signals."""

import asyncio
import signal
import sys
from importlib.metadata import version

import uvloop

from kraut_core.errors import KrautError
from kraut_core.logs import configure_logs
from kraut_core.settings import load_settings
from kraut_oidc_proxy.process import COMPONENT, OidcProxy
from kraut_oidc_proxy.settings import OidcProxyProcessSettings


def main() -> None:
    """Run until SIGTERM or SIGINT; exit 1 when the configuration cannot be used or a part breaks."""
    if {"--version", "--help", "-h"} & set(sys.argv[1:]):
        sys.stdout.write(
            f"{COMPONENT} {version(COMPONENT)}: settings are KRAUT_ variables, see docs/reference/settings.md\n"
        )
        return
    try:
        settings = load_settings(OidcProxyProcessSettings)
        configure_logs(settings.log, component=COMPONENT)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(settings))
    except KrautError as error:
        sys.stderr.write(f"{COMPONENT}: {error}\n")
        sys.exit(1)


async def run(settings: OidcProxyProcessSettings) -> None:
    """Run until SIGTERM or SIGINT. Raises KrautError when the configuration cannot be used."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await OidcProxy(settings).run(stopping)


if __name__ == "__main__":
    main()
