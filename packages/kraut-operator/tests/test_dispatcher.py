"""What the operator says of Temporal: its trouble, and no longer than that lasts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from kraut_core.api.kinds import all_kinds
from kraut_operator.dispatcher import Dispatcher
from kraut_operator.metrics import OperatorMetrics
from kraut_operator.testing.worlds import World, answered, entry


class Temporal:
    """Answers signals, by the name of the object, with these errors first and then takes them."""

    def __init__(self, **errors: list[Exception]) -> None:
        self.asked: list[str] = []
        self._errors = errors

    async def start_workflow(self, _workflow: str, start: Any, **_more: Any) -> None:
        self.asked.append(start.name)
        if errors := self._errors.get(start.name):
            raise errors.pop(0)


UNAVAILABLE = RPCError("away", RPCStatusCode.UNAVAILABLE, b"")
REFUSED = RPCError("too many signals", RPCStatusCode.INVALID_ARGUMENT, b"")


async def hosts() -> World:
    world = World(all_kinds(), "Host", "UpgradePolicy", "Secret")
    for kind in world.sources:
        await world.sync(kind)
    return world


@asynccontextmanager
async def dispatching(world: World, temporal: Temporal) -> AsyncIterator[Dispatcher]:
    metrics = OperatorMetrics(CollectorRegistry())
    client = cast("Client", temporal)
    dispatcher = Dispatcher(world.controller, client, metrics, home="home", concurrency=4, rate=1000)
    task = asyncio.create_task(dispatcher.run())
    try:
        yield dispatcher
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.001)


async def test_a_signal_that_failed_is_trouble_until_one_is_taken() -> None:
    """The world's clock stands still: what failed waits."""
    world, temporal = await hosts(), Temporal(h=[UNAVAILABLE])
    async with dispatching(world, temporal) as dispatcher:
        await world.put(entry("Host", "h", generation=1))
        await until(lambda: dispatcher.trouble is not None)
        assert dispatcher.trouble == "the last signal failed with UNAVAILABLE: away"
        await world.put(entry("Host", "other", generation=1))
        await until(lambda: dispatcher.trouble is None)
        assert temporal.asked == ["h", "other"]


async def test_trouble_ends_when_the_object_is_answered_without_another_signal() -> None:
    """The worker's sweep found it first: nothing is left to send by which Temporal could show that it is back."""
    world, temporal = await hosts(), Temporal(h=[UNAVAILABLE])
    async with dispatching(world, temporal) as dispatcher:
        await world.put(entry("Host", "h", generation=1))
        await until(lambda: dispatcher.trouble is not None)
        await world.put(answered("Host", "h", version=2))
        assert dispatcher.trouble is None
        assert temporal.asked == ["h"]


async def test_one_object_that_is_always_refused_is_no_trouble_of_temporals() -> None:
    world, temporal = await hosts(), Temporal(h=[UNAVAILABLE, *[REFUSED] * 9])
    async with dispatching(world, temporal) as dispatcher:
        await world.put(entry("Host", "h", generation=1))
        await until(lambda: dispatcher.trouble is not None)
        for times in range(2, 10):
            world.clock.now += 300
            world.controller.added.set()
            while len(temporal.asked) < times or world.controller.queue.processing:
                await asyncio.sleep(0.001)
            assert dispatcher.trouble is None
        world.clock.now += 300
        assert world.controller.queue.next_due() == 0


@pytest.mark.parametrize("code", [RPCStatusCode.NOT_FOUND, RPCStatusCode.PERMISSION_DENIED])
async def test_a_namespace_that_is_not_there_or_not_ours_is_trouble(code: RPCStatusCode) -> None:
    world, temporal = await hosts(), Temporal(h=[RPCError("no", code, b"")])
    async with dispatching(world, temporal) as dispatcher:
        await world.put(entry("Host", "h", generation=1))
        await until(lambda: dispatcher.trouble is not None)
        assert code.name in str(dispatcher.trouble)
