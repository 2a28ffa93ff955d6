"""Removing what kraut left on a host, while others start or remove something there (I4, I11)."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from kraut_core.errors import UnknownOutcomeError
from kraut_worker.facts.fact import Answer
from kraut_worker.facts.operations import OPERATIONS
from kraut_worker.operations.protocol import remove_all
from kraut_worker.operations.removal import remove_script
from kraut_worker.ports import Shell

pytestmark = pytest.mark.lab

GATED = remove_script(0).replace(
    "running=", "touch /root/locked; until [ -e /root/go ]; do sleep 0.05; done; running=", 1
)
"""Has the lock, and goes on when it is told to."""

HOLD_LOCK = """
mkdir -p /var/lib/kraut && exec 9>/var/lib/kraut/start.lock && flock 9
touch /root/locked; until [ -e /root/go ]; do sleep 0.05; done
"""

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


async def token_told(host: Any) -> int:
    async def ask(shell: Shell) -> int:
        said = await shell.run(OPERATIONS.command, timeout_seconds=60)
        return OPERATIONS.parse(Answer(said.exit_status, said.stdout.decode(), "")).fencing_token

    return int(await host.call(ask))


@pytest.mark.fault(row=20, fault="object deleted and recreated in mid operation", invariants=("I3", "I4", "I11"))
@pytest.mark.parametrize("late_first", [False, True], ids=["the last decision", "one before it"])
async def test_a_start_that_is_sent_late_starts_nothing_on_a_host_that_was_let_go(host: Any, late_first: bool) -> None:
    """Its worker stood still after it had asked whether the Host is still there; the next one removed everything."""
    first, second = host.spec("echo run >>/root/runs"), host.spec("echo run >>/root/runs")
    late, done = (first, second) if late_first else (second, first)
    await host.start(done)
    await host.finish(done.id)
    assert await host.call(lambda shell: remove_all(shell, fencing_token=late.fencing_token)) == ""
    outcome = await host.start(late)
    assert (outcome.result, outcome.token) == ("RefusedToken", second.fencing_token)
    assert host.exec("ls -d /var/lib/kraut; cat /root/runs") == "run\n"


async def test_a_host_on_which_nothing_was_ever_done_refuses_a_late_start_as_well(host: Any) -> None:
    late = host.spec("echo run >>/root/runs", fencing_token=3)
    assert await host.call(lambda shell: remove_all(shell, fencing_token=3)) == ""
    # Another removal, of an object that knew of less, takes nothing back.
    assert await host.call(remove_all) == ""
    outcome = await host.start(late)
    assert (outcome.result, outcome.token) == ("RefusedToken", 3)
    assert host.exec("ls -d /var/lib/kraut /root/runs") == ""


async def test_a_start_that_made_the_folder_before_the_removal_looked_is_refused_under_the_lock(host: Any) -> None:
    late = host.spec("echo run >>/root/runs", fencing_token=3)
    holding = asyncio.create_task(asyncio.to_thread(host.exec, HOLD_LOCK))
    await until(host, "ls /root/locked", "/root/locked\n")
    starting = asyncio.create_task(host.start(late))
    await until(host, WAITING, "1\n")
    host.exec("echo 3 >/run/kraut-released; touch /root/go")
    assert (await starting).result == "RefusedToken"
    await holding
    assert host.exec("ls -d /var/lib/kraut/ops/* /root/runs") == ""


async def test_a_host_that_is_managed_again_goes_on_behind_what_it_was_let_go_with(host: Any) -> None:
    assert await token_told(host) == 0
    await host.call(lambda shell: remove_all(shell, fencing_token=7))
    assert await token_told(host) == 7
    spec = host.spec("exit 7", fencing_token=8)
    assert (await host.start(spec)).result == "Started"
    assert (await host.finish(spec.id))[0].exit_code == 7
    assert await token_told(host) == 8
