"""HTTP/1.1 for strangers: uvicorn's protocol with bounds on size and time, which httptools itself does not set."""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES: Final = 16 * 1024
"""Request line and headers together; the answer to more is 400."""
REQUEST_SECONDS: Final = 10.0
"""For a whole request, body included, from its first byte; and for the first one from the connection on."""


class BoundedProtocol(HttpToolsProtocol):
    """Ends connections that are slow with a request, or send too much before it is complete."""

    _deadline: asyncio.TimerHandle | None = None
    _head = 0

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Start the deadline with the first byte after an answer."""
        self._arm()
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Start counting."""
        self._head = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count the request line; a path that is not ASCII is refused (RFC 3986)."""
        self._count(len(url))
        if not url.isascii():
            raise ValueError("not ASCII")
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_message_complete(self) -> None:
        """Stop the deadline."""
        self._disarm()
        super().on_message_complete()

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > MAX_HEAD_BYTES:
            raise ValueError("too large")

    def _arm(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_SECONDS, self._give_up)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.abort()
