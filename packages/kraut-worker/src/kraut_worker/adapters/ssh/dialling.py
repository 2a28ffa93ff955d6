"""The TCP part of a connection, apart from the SSH part: hosts that are down or silent must not hold a handshake's place."""

import asyncio
import socket
from typing import Final

import aiohappyeyeballs

from kraut_core.patience import patience

_STAGGER_SECONDS: Final = 0.25
"""RFC 8305: when the next address of a name is tried as well."""


async def dial(address: str, port: int, *, timeout_seconds: float) -> socket.socket:
    """A connected, non-blocking socket. Raises OSError (socket.gaierror for an unknown name, TimeoutError)."""
    loop = asyncio.get_running_loop()
    async with patience(timeout_seconds):
        found = await loop.getaddrinfo(address, port, type=socket.SOCK_STREAM)
        return await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=_STAGGER_SECONDS, interleave=1)


async def wait_for_banner(connection: socket.socket, *, timeout_seconds: float) -> None:
    """Wait until the server said something (RFC 4253, 4.2: it identifies itself first) or hung up; nothing is read.

    Raises TimeoutError.
    """
    loop = asyncio.get_running_loop()
    spoke = asyncio.Event()
    loop.add_reader(connection, spoke.set)
    try:
        async with patience(timeout_seconds):
            await spoke.wait()
    finally:
        loop.remove_reader(connection)
