"""The Shell of the SSH adapter, and the identity check that stands before it."""

import secrets
from asyncio import Semaphore

import asyncssh

from kraut_core.errors import MachineIdentityError, UnknownOutcomeError, UnsupportedHostError
from kraut_worker.adapters.ssh.errors import describe_target, explain_silence
from kraut_worker.adapters.ssh.keys import openssh_line
from kraut_worker.adapters.ssh.privilege import explain_refusal
from kraut_worker.adapters.ssh.session import ROOT_COMMAND, SUDO_COMMAND, run_script
from kraut_worker.ports import MAX_OUTPUT_BYTES, CommandResult, HostTarget


class SshShell:
    """Root on one host over one connection; ``sessions`` bounds how many scripts run at the same time."""

    def __init__(self, connection: asyncssh.SSHClientConnection, target: HostTarget, sessions: Semaphore) -> None:
        self._connection = connection
        self._where = describe_target(target)
        self._user = target.user
        self._sessions = sessions
        self._machine_id = ""
        key = connection.get_server_host_key()
        self._host_key = openssh_line(key) if key else ""

    @property
    def host_key(self) -> str:
        return self._host_key

    @property
    def machine_id(self) -> str:
        return self._machine_id

    async def run(self, script: str, *, timeout_seconds: float, max_output: int = MAX_OUTPUT_BYTES) -> CommandResult:
        async with self._sessions:
            return await run_script(
                self._connection,
                script,
                command=ROOT_COMMAND if self._user == "root" else SUDO_COMMAND,
                where=self._where,
                timeout_seconds=timeout_seconds,
                max_output=max_output,
            )

    async def read_machine_id(self, *, timeout_seconds: float) -> str:
        """Read /etc/machine-id: the first command on every connection, and the proof that the user becomes root.

        Raises UnreachableError when nothing answered, PrivilegeError when no root shell did, UnsupportedHostError when
        there is no machine id.
        """
        marker = secrets.token_hex(16)
        script = f"printf '%s %s\\n' {marker} \"$(id -u)\"; cat /etc/machine-id"
        try:
            result = await self.run(script, timeout_seconds=timeout_seconds)
        except UnknownOutcomeError as error:
            raise explain_silence(error, self._where) from error
        answer, _, found = result.stdout.partition(b"\n")
        if answer != f"{marker} 0".encode():
            raise explain_refusal(result, user=self._user, where=self._where)
        self._machine_id = found.strip().decode("ascii", "replace")
        if len(self._machine_id) != 32:
            raise UnsupportedHostError(
                f"{self._where} has no machine id: expected 32 hexadecimal digits in /etc/machine-id, found {self._machine_id[:40]!r}; "
                "run `systemd-machine-id-setup` on it",
                reason="MachineIDMissing",
            )
        return self._machine_id


def check_machine_id(target: HostTarget, found: str) -> None:
    """Raise MachineIdentityError when the machine behind the address is not the recorded one."""
    if target.machine_id and target.machine_id != found:
        raise MachineIdentityError(
            f"{describe_target(target)} was machine {target.machine_id} before and is machine {found} now; no further command was sent. "
            "If the host was replaced or reinstalled, delete and create the Host object; if not, correct spec.address"
        )
