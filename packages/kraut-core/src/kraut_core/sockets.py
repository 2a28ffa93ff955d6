"""Sockets of which the event loop owns the descriptor."""

import socket
from typing import Any


class LoopsSocket(socket.socket):
    """Only ``close`` closes it; that it is forgotten does not.

    uvloop closes the descriptor of a socket that it was given by itself. When the connection ends in the moment in which it is
    made, it misses to tell the object (``create_connection(sock=...)`` attaches it to a transport that is closed already; uvloop 0.23,
    compare its issues 645 and 738). The number is soon another connection's, and an ordinary socket would close that one when it is
    collected.
    """

    def __del__(self) -> None:
        """Instead of closing whatever the number stands for now."""


def make_loops_socket(address: Any) -> LoopsSocket:
    """For aiohttp's ``socket_factory``: ``address`` is one of ``socket.getaddrinfo``."""
    family, kind, protocol, _, _ = address
    return LoopsSocket(family, kind, protocol)
