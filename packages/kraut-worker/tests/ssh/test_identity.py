"""What a host gets to see when it is not the one that was meant (fault matrix: U16), from a server that takes notes."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Literal

import asyncssh
import pytest

from kraut_core.errors import KrautError, MachineIdentityError, UnreachableError, UnsupportedHostError
from kraut_worker.adapters.ssh import SshConnector, SshSettings
from kraut_worker.ports import Credentials, HostTarget

pytestmark = pytest.mark.integration

RECORDED, FOUND = "a" * 32, "b" * 32


@dataclass
class NotingServer:
    """An SSH server that answers every command as a root shell with one machine id, and notes what it was sent."""

    target: HostTarget
    machine_id: str = FOUND
    scripts: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    answer: Literal["root", "nothing", "cut"] = "root"


@pytest.fixture
async def server() -> AsyncIterator[NotingServer]:
    host_key, client_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))

    async def answer(process: asyncssh.SSHServerProcess[str]) -> None:
        noting.commands.append(process.command or "")
        if noting.answer == "nothing":
            await asyncio.Event().wait()
        if noting.answer == "cut":
            process.channel.get_connection().abort()
            return
        script = await process.stdin.read()
        noting.scripts.append(script)
        marker = script.partition("printf '%s %s\\n' ")[2].split()
        if marker:
            process.stdout.write(f"{marker[0]} 0\n{noting.machine_id}\n")
        process.exit(0)

    acceptor = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[host_key],
        authorized_client_keys=asyncssh.import_authorized_keys(client_key.export_public_key().decode()),
        process_factory=answer,
    )
    noting = NotingServer(
        HostTarget(
            address="127.0.0.1",
            port=acceptor.get_port(),
            user="kraut",
            host_keys=(host_key.export_public_key().decode().strip(),),
            credentials=Credentials(private_key=client_key.export_private_key()),
            machine_id=FOUND,
        )
    )
    async with acceptor:
        yield noting


async def run(target: HostTarget, settings: SshSettings | None = None) -> None:
    async with SshConnector(settings) as connector, connector.connect(target) as shell:
        await shell.run("touch /tmp/mutation", timeout_seconds=20)


async def test_the_machine_id_is_read_before_anything_else(server: NotingServer) -> None:
    await run(server.target)
    first, second = server.scripts
    assert "cat /etc/machine-id" in first
    assert "mutation" in second
    assert set(server.commands) == {"sudo -n -- /bin/sh -s"}


@pytest.mark.fault(row=15, fault="machine id changed", invariants=("U16",))
async def test_another_machine_gets_no_further_command(server: NotingServer) -> None:
    with pytest.raises(MachineIdentityError):
        await run(replace(server.target, machine_id=RECORDED))
    assert len(server.scripts) == 1
    assert "mutation" not in "".join(server.scripts)


@pytest.mark.fault(row=15, fault="host key changed", invariants=("U16",))
async def test_another_key_gets_no_command_at_all(server: NotingServer) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    with pytest.raises(KrautError) as caught:
        await run(replace(server.target, host_keys=(other,)))
    assert caught.value.reason == "HostKeyMismatch"
    assert server.commands == []


async def test_a_machine_id_that_is_none_is_refused(server: NotingServer) -> None:
    server.machine_id = "uninitialized"
    with pytest.raises(UnsupportedHostError, match="expected 32 hexadecimal digits") as caught:
        await run(server.target)
    assert caught.value.reason == "MachineIDMissing"


async def test_a_first_command_that_says_nothing_at_all_is_a_host_out_of_reach(server: NotingServer) -> None:
    server.answer = "nothing"
    said = []
    while not server.commands:
        # Where much else runs a second may be over before the login is.
        with pytest.raises(UnreachableError) as caught:
            await run(server.target, SshSettings(login_timeout_seconds=1))
        assert caught.value.reason == "LoginTimeout"
        said.append(str(caught.value))
    assert "nothing else was run" in said[-1]
    assert len(server.commands) == 1


async def test_a_connection_lost_before_the_machine_was_known_is_a_login_that_failed(server: NotingServer) -> None:
    server.answer = "cut"
    with pytest.raises(UnreachableError) as caught:
        await run(server.target)
    assert caught.value.reason == "ConnectionDropped"
    assert len(server.commands) == 1
