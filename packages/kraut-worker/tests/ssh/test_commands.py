"""Running scripts over a real sshd: what came back is what happened, or it is unknown."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kraut_core.errors import UnknownOutcomeError, UnreachableError
from kraut_worker.adapters.ssh import SshConnector, SshSettings, connection
from kraut_worker.ports import CommandResult

pytestmark = pytest.mark.integration


async def run(sshd: Any, script: str, **options: Any) -> CommandResult:
    async with SshConnector() as connector, connector.connect(sshd.target) as shell:
        return await shell.run(script, timeout_seconds=options.pop("timeout_seconds", 60), **options)


async def test_streams_and_exit_status(sshd: Any) -> None:
    result = await run(sshd, "echo out\necho err >&2\nexit 3")
    assert result == CommandResult(3, b"out\n", b"err\n")


async def test_stdin_is_empty_and_the_locale_is_c(sshd: Any) -> None:
    assert (await run(sshd, 'cat\necho "$LC_ALL $(id -u)"')).stdout == b"C 0\n"


async def test_an_end_by_signal_is_128_and_its_number(sshd: Any) -> None:
    assert (await run(sshd, "kill -9 $$")).exit_status == 137


@pytest.mark.fault(row=18, fault="invalid UTF-8", invariants=("I12",))
async def test_bytes_that_are_not_utf8_arrive_as_they_are(sshd: Any) -> None:
    result = await run(sshd, r"printf '\377\000\200\n'; printf '\376' >&2")
    assert (result.stdout, result.stderr) == (b"\xff\x00\x80\n", b"\xfe")


@pytest.mark.fault(row=18, fault="1 GiB on stdout", invariants=("I12",))
async def test_a_gibibyte_of_output_is_cut_and_the_status_kept(sshd: Any) -> None:
    result = await run(sshd, "head -c 1073741824 /dev/zero; exit 5", max_output=4096, timeout_seconds=500)
    assert (result.exit_status, len(result.stdout), result.truncated) == (5, 4096, True)


async def test_output_as_long_as_the_bound_is_whole(sshd: Any) -> None:
    result = await run(sshd, "head -c 4096 /dev/zero; head -c 4096 /dev/zero >&2", max_output=4096)
    assert (len(result.stdout), len(result.stderr), result.truncated) == (4096, 4096, False)


@pytest.mark.fault(row=13, fault="SSH cut in mid output", invariants=("I12",))
async def test_a_connection_cut_in_mid_output_is_unknown(sshd: Any) -> None:
    with pytest.raises(UnknownOutcomeError) as caught:
        await run(sshd, "echo begun; kill -9 $PPID; sleep 60")
    assert caught.value.reason == "ConnectionLost"


async def test_a_timeout_is_unknown(sshd: Any) -> None:
    with pytest.raises(UnknownOutcomeError) as caught:
        await run(sshd, "sleep 60", timeout_seconds=0.5)
    assert caught.value.reason == "CommandTimeout"


async def test_an_end_that_came_while_the_worker_stood_still_is_known(sshd: Any, tmp_path: Path) -> None:
    async def stand_still() -> None:
        while not (tmp_path / "begun").exists():
            await asyncio.sleep(0.01)
        time.sleep(11)

    async with SshConnector() as connector, connector.connect(sshd.target) as shell:
        script = f"touch {tmp_path}/begun; sleep 1; echo x"
        result, _ = await asyncio.gather(shell.run(script, timeout_seconds=10), stand_still())
    assert result.stdout == b"x\n"


@pytest.mark.parametrize("where", ["dial", "wait_for_banner", "_log_in"])
async def test_a_worker_that_stood_still_goes_on_with_its_login(
    where: str, sshd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the host was reached, before its first word, and after that."""
    went_on = getattr(connection, where)

    def stand_still(*args: Any, **options: Any) -> Any:
        asyncio.get_running_loop().call_soon(time.sleep, 2.5)
        return went_on(*args, **options)

    monkeypatch.setattr(connection, where, stand_still)
    settings = SshSettings(connect_timeout_seconds=2, login_timeout_seconds=2)

    async def log_in() -> bytes:
        async with SshConnector(settings) as connector, connector.connect(sshd.target) as shell:
            return (await shell.run("echo x", timeout_seconds=60)).stdout

    for tries_left in reversed(range(20)):
        try:
            assert await log_in() == b"x\n"
        except UnreachableError:
            # What is left of its time, a second, is short where much else runs.
            if not tries_left:
                raise
        else:
            break


async def test_after_a_cut_the_next_use_connects_anew(sshd: Any) -> None:
    async with SshConnector() as connector:
        async with connector.connect(sshd.target) as shell:
            with pytest.raises(UnknownOutcomeError):
                await shell.run("kill -9 $PPID", timeout_seconds=20)
        async with connector.connect(sshd.target) as shell:
            assert (await shell.run("echo again", timeout_seconds=20)).stdout == b"again\n"


async def test_one_connection_serves_many_and_stays_under_max_sessions(start_sshd: Any) -> None:
    sshd = start_sshd("MaxSessions 10")

    async def use(connector: SshConnector, number: int) -> bytes:
        async with connector.connect(sshd.target) as shell:
            return (await shell.run(f"sleep 0.2; echo {number}", timeout_seconds=60)).stdout

    async with SshConnector() as connector:
        said = await asyncio.gather(*(use(connector, number) for number in range(24)))
    assert said == [f"{number}\n".encode() for number in range(24)]
    assert sshd.logins() == 1


async def test_two_hosts_objects_never_share_a_connection(start_sshd: Any) -> None:
    sshd = start_sshd()
    async with SshConnector() as connector:
        for uid in ("a", "b", "a"):
            async with connector.connect(replace(sshd.target, uid=uid)):
                pass
    assert sshd.logins() == 2


async def test_an_idle_connection_is_closed(start_sshd: Any, wait_until: Any) -> None:
    sshd = start_sshd("LogLevel VERBOSE")
    async with SshConnector(SshSettings(idle_seconds=0)) as connector:
        async with connector.connect(sshd.target):
            pass
        await asyncio.to_thread(
            wait_until, lambda: "Connection closed by" in sshd.log.read_text(), "the connection closed"
        )


async def test_leaving_the_connector_leaves_no_task_and_no_socket(sshd: Any, start_sshd: Any) -> None:
    jump = start_sshd()
    tasks = asyncio.all_tasks()
    sockets = _sockets()
    async with SshConnector() as connector, connector.connect(replace(sshd.target, jump_host=jump.target)):
        pass
    assert asyncio.all_tasks() == tasks
    assert _sockets() == sockets


def _sockets() -> int:
    links = (entry.readlink() for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink())
    return sum(str(link).startswith("socket:") for link in links)
