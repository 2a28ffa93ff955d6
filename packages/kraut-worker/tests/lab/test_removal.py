"""Removing what kraut left on a host, while others start or remove something there (I4, I11)."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from kraut_core.errors import UnknownOutcomeError
from kraut_worker.operations.protocol import remove_all
from kraut_worker.operations.removal import REMOVE
from kraut_worker.ports import Shell

pytestmark = pytest.mark.lab

GATED = REMOVE.replace("running=", "touch /root/locked; until [ -e /root/go ]; do sleep 0.05; done; running=", 1)
"""Has the lock, and goes on when it is told to."""

WAITING = "pgrep -f -c '^flock -w 30 9'"


@pytest.fixture(autouse=True)
def gate(host: Any) -> Iterator[None]:
    host.exec("rm -f /root/go /root/locked /root/runs")
    yield
    host.exec("rm -f /root/go /root/locked /root/runs")


async def gated(shell: Shell) -> bytes:
    return (await shell.run(GATED, timeout_seconds=60)).stdout


async def until(host: Any, command: str, said: str) -> None:
    async with asyncio.timeout(60):
        while await asyncio.to_thread(host.exec, command) != said:
            await asyncio.sleep(0.05)


async def removal(host: Any) -> "asyncio.Task[bytes]":
    """One that holds the lock of a host on which something was done before."""
    spec = host.spec("true")
    await host.start(spec)
    await host.finish(spec.id)
    task = asyncio.create_task(host.call(gated))
    await until(host, "ls /root/locked", "/root/locked\n")
    return task


async def test_a_start_that_waited_for_a_removal_starts_nothing(host: Any) -> None:
    removing = await removal(host)
    starting = asyncio.create_task(host.start(host.spec("echo run >/root/runs")))
    await until(host, WAITING, "1\n")
    host.exec("touch /root/go")
    assert await removing == b"removed\n"
    outcome = await starting
    assert (outcome.result, outcome.message) == ("CannotStart", "/var/lib/kraut was removed meanwhile")
    assert host.exec("ls -d /var/lib/kraut /root/runs") == ""


async def test_a_removal_that_waited_for_another_holds_no_lock_and_asks_again(host: Any) -> None:
    removing = await removal(host)
    second = asyncio.create_task(host.call(remove_all))
    await until(host, WAITING, "1\n")
    host.exec("touch /root/go")
    assert await removing == b"removed\n"
    with pytest.raises(UnknownOutcomeError):
        await second
    assert await host.call(remove_all) == ""


async def test_a_host_can_be_managed_again_after_a_removal(host: Any) -> None:
    removing = await removal(host)
    host.exec("touch /root/go")
    assert await removing == b"removed\n"
    spec = host.spec("exit 7")
    assert (await host.start(spec)).result == "Started"
    assert (await host.finish(spec.id))[0].exit_code == 7
