"""One script on one connection: sent on stdin, output bounded, the exit status as it was or an unknown outcome."""

import asyncio
from typing import Final

import asyncssh

from kraut_core.errors import UnknownOutcomeError, UnreachableError
from kraut_core.patience import patience
from kraut_worker.ports import CommandResult

ROOT_COMMAND: Final = "/bin/sh -s"
SUDO_COMMAND: Final = "sudo -n -- /bin/sh -s"
"""Exactly this, so that one sudoers line suffices: ``kraut ALL=(root) NOPASSWD: /bin/sh -s``."""

_STDERR = asyncssh.EXTENDED_DATA_STDERR


class _Collector(asyncssh.SSHClientSession[bytes]):
    """Keeps the first ``limit`` bytes of each stream; ``ended`` is set when the channel is closed for whatever reason."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.truncated = False
        self.ended = asyncio.Event()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        stream = self.stderr if datatype == _STDERR else self.stdout
        room = self._limit - len(stream)
        stream += data[:room]
        self.truncated = self.truncated or len(data) > room

    def connection_lost(self, _exc: Exception | None) -> None:
        self.ended.set()


def wrap_script(script: str) -> bytes:
    """The script as one compound command: sh runs nothing of it before it has read the closing brace.

    A connection that breaks while it is sent leaves a syntax error, not half a script. Its stdin is /dev/null, since
    a command that read the rest of the script would.
    """
    return f"{{\nexec </dev/null\nLC_ALL=C\nexport LC_ALL\n{script}\n}}\n".encode()


async def run_script(
    connection: asyncssh.SSHClientConnection,
    script: str,
    *,
    command: str,
    where: str,
    timeout_seconds: float,
    max_output: int,
) -> CommandResult:
    """Run ``script`` by ``command`` and return how it ended.

    Raises UnreachableError when it was certainly not run, UnknownOutcomeError when that cannot be known.
    """
    try:
        async with patience(timeout_seconds):
            channel, collector = await _open(connection, command, where, max_output)
            try:
                _send(channel, script)
                await collector.ended.wait()
            finally:
                channel.abort()
    except TimeoutError:
        raise UnknownOutcomeError(
            f"a command on {where} did not end within {timeout_seconds:g} s; it may still be running",
            reason="CommandTimeout",
        ) from None
    return _result(channel, collector, where)


async def _open(
    connection: asyncssh.SSHClientConnection, command: str, where: str, max_output: int
) -> tuple[asyncssh.SSHClientChannel[bytes], _Collector]:
    collector = _Collector(max_output)
    try:
        # sshd drops what its AcceptEnv does not list; Debian's lists LC_*, so that sudo's own messages are in English.
        channel, _ = await connection.create_session(lambda: collector, command, encoding=None, env={"LC_ALL": "C"})
    except (asyncssh.Error, OSError) as error:
        raise UnreachableError(
            f"no session on the connection to {where} ({error}); nothing was run", reason="SessionRefused"
        ) from error
    return channel, collector


def _send(channel: asyncssh.SSHClientChannel[bytes], script: str) -> None:
    try:
        channel.write(wrap_script(script))
        channel.write_eof()
    except BrokenPipeError:
        # The command ended before it read the script (sudo refused): its status and messages tell.
        return


def _result(channel: asyncssh.SSHClientChannel[bytes], collector: _Collector, where: str) -> CommandResult:
    status = channel.get_returncode()
    if status is None:
        raise UnknownOutcomeError(
            f"the connection to {where} was lost while a command ran: it may have run, wholly, partly or not at all",
            reason="ConnectionLost",
        )
    return CommandResult(
        exit_status=status if status >= 0 else 128 - status,
        stdout=bytes(collector.stdout),
        stderr=bytes(collector.stderr),
        truncated=collector.truncated,
    )
