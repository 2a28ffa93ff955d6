"""A deadline of a process that stands still: what was said meanwhile is heard, and silence ends all the same."""

import asyncio
import socket
import time

import pytest

from kraut_core.patience import patience


async def reading() -> tuple[asyncio.StreamReader, asyncio.StreamWriter, socket.socket]:
    ours, theirs = socket.socketpair()
    return *await asyncio.open_connection(sock=ours), theirs


async def test_what_was_said_while_it_stood_still_is_heard() -> None:
    reader, writer, theirs = await reading()

    async def hear() -> bytes:
        async with patience(2):
            return await reader.readexactly(1)

    hearing = asyncio.create_task(hear())
    await asyncio.sleep(0)
    theirs.send(b"x")
    time.sleep(3)
    assert await hearing == b"x"
    theirs.close()
    writer.close()


async def test_a_wait_that_ended_while_it_stood_still_has_ended() -> None:
    async with patience(1):
        done = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(done.set_result, None)
        asyncio.get_running_loop().call_soon(time.sleep, 2)
        await done


@pytest.mark.parametrize(("seconds", "last"), [(0.2, 1.0), (0.2, 0.05), (0, 1.0)])
async def test_silence_ends(seconds: float, last: float) -> None:
    with pytest.raises(TimeoutError):
        async with patience(seconds, last):
            await asyncio.Event().wait()


async def test_it_ends_no_wait_after_its_own() -> None:
    for seconds in (0.0, 0.02):
        async with patience(0.02, 0.01):
            await asyncio.sleep(seconds / 4)
    with pytest.raises(TimeoutError):
        async with patience(0.02, 0.01):
            await asyncio.Event().wait()
    broken: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: broken.append(context))
    await asyncio.sleep(0.05)
    assert broken == []


async def test_an_error_and_a_cancellation_stay_what_they_are() -> None:
    with pytest.raises(LookupError):
        async with patience(60):
            raise LookupError

    async def wait() -> None:
        async with patience(60):
            await asyncio.Event().wait()

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
