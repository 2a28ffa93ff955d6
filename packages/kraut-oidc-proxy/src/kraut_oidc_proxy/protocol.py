"""HTTP/1.1 for strangers: uvicorn's protocol with bounds on size and time, which httptools itself does not set.

The request that nearly all are, a plain GET of a document, is answered as soon as it is read: bytes that lie ready, no task and
no ASGI messages. All that is anything else goes uvicorn's way, to the same application.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from kraut_oidc_proxy.app import App

MAX_HEAD_BYTES: Final = 16 * 1024
"""Request line and headers together; the answer to more is 400."""
REQUEST_SECONDS: Final = 10.0
"""For a whole request, body included, from its first byte; and for the first one from the connection on."""
LAST_SECONDS: Final = 1.0
"""These are the last of each deadline (they come on top of an idle connection's), and counted by a timer of their own: a process or a
machine that stood still for longer than that (CPU limits, suspended virtual machines) still hears what a client said or was about to say."""
UNREAD_SECONDS: Final = 30.0
"""For a client to read on, when so much of what was answered waits for it that nothing more is written."""
_MORE_THAN_A_GET: Final = frozenset(
    {b"connection", b"content-length", b"expect", b"if-none-match", b"transfer-encoding", b"upgrade"}
)
"""Headers on which the answer, or what follows it, depends."""


class BoundedProtocol(HttpToolsProtocol):
    """Ends connections that are slow with a request, send too much before it is complete, or do not read what is answered."""

    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _head = 0
    _plain = True
    _between = False
    _ready: bytes | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines."""
        self._disarm()
        self._read_on()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to wait for the client to read."""
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD_SECONDS - LAST_SECONDS, self._write_once_more)

    def resume_writing(self) -> None:
        """It has."""
        self._read_on()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Listen to an idle connection once more; ``data_received`` cancels this timer as it does the one before."""
        self.timeout_keep_alive_task = self.loop.call_later(LAST_SECONDS, self._end_idle)

    def _end_idle(self) -> None:
        # One whose client left answers unread would wait for that before it closes.
        if self.transport.get_write_buffer_size():
            self._give_up()
        else:
            super().timeout_keep_alive_handler()

    def data_received(self, data: bytes) -> None:
        """Start the deadline unless the last byte completes a request."""
        self._between = False
        super().data_received(data)
        if not self._between:
            self._arm()

    def on_message_begin(self) -> None:
        """Start counting."""
        self._head, self._plain, self._between = 0, True, False
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count the request line; a path that is not ASCII is refused (RFC 3986)."""
        self._count(len(url))
        if not url.isascii():
            raise ValueError("not ASCII")
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        self._count(len(name) + len(value) + 4)
        name = name.lower()
        if name in _MORE_THAN_A_GET:
            self._plain = False
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Find the answer that lies ready, or go uvicorn's way."""
        self._ready = self._find_ready()
        if self._ready is None:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Stop the deadline, and answer."""
        self._between = True
        self._disarm()
        if self._ready is None:
            super().on_message_complete()
            return
        self.transport.write(self._ready)
        self._ready = None
        self.on_response_complete()

    def _find_ready(self) -> bytes | None:
        parser = self.parser
        if (
            not self._plain
            or parser.get_method() != b"GET"
            or parser.get_http_version() != "1.1"
            # Whatever came before is answered before, and who does not read what was answered waits.
            or not getattr(self.cycle, "response_complete", True)
            or self.flow.write_paused
            or (self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency)
        ):
            return None
        app = self.app
        return app.ready(self.url) if isinstance(app, App) else None

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > MAX_HEAD_BYTES:
            raise ValueError("too large")

    def _arm(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_SECONDS - LAST_SECONDS, self._listen_once_more)

    def _listen_once_more(self) -> None:
        self._deadline = self.loop.call_later(LAST_SECONDS, self._give_up)

    def _write_once_more(self) -> None:
        self._unread = self.loop.call_later(LAST_SECONDS, self._give_up)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _read_on(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _give_up(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.abort()
