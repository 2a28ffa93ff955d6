"""Wait for what the status of an object is to say."""

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from kraut_cli.failures import NotReadyError
from kraut_cli.terminal import Progress

if TYPE_CHECKING:
    from kraut_core.kube.client import KubeClient

Item = dict[str, Any]

_INTERVAL_SECONDS: Final = 1.0


class Duration(click.ParamType[timedelta]):
    """``90s``, ``5m``, ``1h30m``, as kubectl takes them; gives a timedelta."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Parse; a usage error otherwise."""
        if isinstance(value, timedelta):
            return value
        match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", str(value))
        if not match or not any(match.groups()):
            self.fail(f"expected a duration such as 90s, 5m or 1h30m, found {value!r}", param, ctx)
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return timedelta(hours=hours, minutes=minutes, seconds=seconds)


async def wait_until(
    client: "KubeClient",
    path: str,
    done: Callable[[Item], bool],
    *,
    limit: timedelta,
    progress: Progress,
    describe: Callable[[Item], str],
) -> Item:
    """Read the object every second until ``done``; ``describe`` is what the person sees meanwhile.

    Raises NotReadyError, with the last description, when the time is over.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit.total_seconds()
    while True:
        item: Item = await client.get_raw(path)
        if done(item):
            return item
        said = describe(item)
        progress.update(said)
        if loop.time() >= deadline:
            raise NotReadyError(f"timed out after {limit.total_seconds():.0f} s: {said}")
        await asyncio.sleep(_INTERVAL_SECONDS)
