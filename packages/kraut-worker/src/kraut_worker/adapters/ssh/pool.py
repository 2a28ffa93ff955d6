"""The HostConnector of the worker: one connection per host and credentials, shared, closed when idle."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Self

import asyncssh

from kraut_worker.adapters.ssh.connection import learn_host_key, open_connection
from kraut_worker.adapters.ssh.handshakes import Handshakes
from kraut_worker.adapters.ssh.settings import SshSettings
from kraut_worker.adapters.ssh.shell import SshShell, check_machine_id
from kraut_worker.ports import HostTarget, Shell


class _Link:
    """The place of one host in the pool: at most one connection, its users, and what it goes through."""

    def __init__(self) -> None:
        self.opening = asyncio.Lock()
        self.users = 0
        self.connection: asyncssh.SSHClientConnection | None = None
        self.shell: SshShell | None = None
        self.through = AsyncExitStack()
        self.expiry: asyncio.TimerHandle | None = None

    @property
    def alive(self) -> bool:
        return self.connection is not None and not self.connection.is_closed()

    async def close(self) -> None:
        connection, self.connection, self.shell = self.connection, None, None
        through, self.through = self.through, AsyncExitStack()
        if connection is not None:
            connection.abort()
            await connection.wait_closed()
        await through.aclose()


class SshConnector:
    """A pool of SSH connections. Use as an async context manager: leaving it closes every connection."""

    def __init__(self, settings: SshSettings | None = None) -> None:
        self._settings = settings or SshSettings()
        self._handshakes = Handshakes(self._settings.max_handshakes, patience_seconds=self._settings.handshake_seconds)
        self._links: dict[HostTarget, _Link] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection, those in use included."""
        links, self._links = list(self._links.values()), {}
        for link in links:
            if link.expiry is not None:
                link.expiry.cancel()
        # Hosts behind a jump host release it when they are closed: newest first.
        for link in reversed(links):
            await link.close()
        await asyncio.gather(*self._closing)

    @asynccontextmanager
    async def connect(self, target: HostTarget) -> AsyncIterator[Shell]:
        """See ``kraut_worker.ports.HostConnector``."""
        async with self._hold(target) as link:
            async with link.opening:
                shell = link.shell if link.alive else None
                shell = shell or await self._log_in(link, target)
            check_machine_id(target, shell.machine_id)
            yield shell

    async def learn_host_key(self, target: HostTarget) -> str:
        """See ``kraut_worker.ports.HostConnector``."""
        async with AsyncExitStack() as through:
            tunnel = None
            if target.jump_host is not None:
                tunnel = await through.enter_async_context(self._tunnel(target.jump_host))
            return await learn_host_key(target, self._settings, self._handshakes, tunnel=tunnel)

    @asynccontextmanager
    async def _tunnel(self, target: HostTarget) -> AsyncIterator[asyncssh.SSHClientConnection]:
        async with self._hold(target) as link:
            async with link.opening:
                connection = link.connection if link.alive else None
                connection = connection or await self._open(link, target)
            yield connection

    @asynccontextmanager
    async def _hold(self, target: HostTarget) -> AsyncIterator[_Link]:
        key = replace(target, machine_id="")
        link = self._links.setdefault(key, _Link())
        link.users += 1
        if link.expiry is not None:
            link.expiry.cancel()
            link.expiry = None
        try:
            yield link
        finally:
            link.users -= 1
            if link.users == 0 and self._links.get(key) is link:
                self._expire_later(key, link)

    async def _log_in(self, link: _Link, target: HostTarget) -> SshShell:
        connection = await self._open(link, target)
        try:
            shell = SshShell(connection, target, asyncio.Semaphore(self._settings.max_sessions))
            check_machine_id(target, await shell.read_machine_id(timeout_seconds=self._settings.login_timeout_seconds))
        except BaseException:
            await link.close()
            raise
        link.shell = shell
        return shell

    async def _open(self, link: _Link, target: HostTarget) -> asyncssh.SSHClientConnection:
        """Connect anew. A jump host is only ever connected to: no command is sent to it, it just forwards."""
        await link.close()
        try:
            tunnel = None
            if target.jump_host is not None:
                tunnel = await link.through.enter_async_context(self._tunnel(target.jump_host))
            link.connection = await open_connection(target, self._settings, self._handshakes, tunnel=tunnel)
        except BaseException:
            await link.close()
            raise
        return link.connection

    def _expire_later(self, key: HostTarget, link: _Link) -> None:
        if not link.alive:
            del self._links[key]
            return
        link.expiry = asyncio.get_running_loop().call_later(self._settings.idle_seconds, self._expire, key, link)

    def _expire(self, key: HostTarget, link: _Link) -> None:
        del self._links[key]
        task = asyncio.ensure_future(link.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
