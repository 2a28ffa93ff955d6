"""Passes TCP connections on and notes when each came: what an API server is asked is counted without trusting who asks."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_PIECE = 65536


class Forwarder:
    """Listens on a free port of loopback. ``moments`` are the times (``time.monotonic``) at which connections came."""

    def __init__(self, target: int) -> None:
        self.moments: list[float] = []
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    @staticmethod
    @contextmanager
    def to(port: int) -> "Iterator[Forwarder]":
        """Forward to a port on loopback until the end of the block."""
        forwarder = Forwarder(port)
        threading.Thread(target=forwarder._serve, daemon=True).start()
        try:
            yield forwarder
        finally:
            forwarder._listener.shutdown(socket.SHUT_RDWR)
            forwarder._listener.close()

    def count(self, since: float, until: float) -> int:
        """Connections between two moments."""
        return sum(since <= moment < until for moment in self.moments)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.moments.append(time.monotonic())
                server = socket.create_connection(("127.0.0.1", self._target))
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
