"""uvicorn inside a running loop: no signal handlers, no access lines, a socket that is known before it answers."""

import asyncio
import contextlib
import functools
import socket
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final

import uvicorn

from kraut_core.errors import PermanentError
from kraut_core.patience import patience

GRACE_SECONDS: Final = 1
ACCEPTED_AT_ONCE: Final = 100
"""Then other connections get their turn."""
PAUSE_SECONDS: Final = 1.0
_NO_DEADLINE_SECONDS: Final = 3600.0
"""For asyncio's own deadline of a handshake, which cannot be switched off; ours comes long before."""


class ListenError(PermanentError):
    """The address to serve at cannot be listened on."""

    default_reason = "ListenFailed"


class EmbeddedServer(uvicorn.Server):
    """uvicorn, which leaves signals to the process and says when it answers; ``options`` are uvicorn.Config's.

    ``handshake_seconds``: deadline of a TLS handshake; uvicorn has no setting for it, and asyncio's default is a minute.
    ``max_connections``: at most so many, from the moment they are accepted; further ones are closed at once. uvicorn's own limit is
    of answers: a connection that says nothing, or is in its handshake, is in none.
    """

    def __init__(
        self,
        app: Any,
        *,
        handshake_seconds: float | None = None,
        max_connections: int | None = None,
        **options: Any,
    ) -> None:
        defaults: dict[str, Any] = {
            "access_log": False,
            "date_header": False,
            "lifespan": "off",
            "log_config": None,
            "log_level": "warning",
            "proxy_headers": False,
            "server_header": False,
            "timeout_graceful_shutdown": GRACE_SECONDS,
            "ws": "none",
        }
        super().__init__(uvicorn.Config(app, **(defaults | options)))
        self.answering = asyncio.Event()
        self._handshake_seconds = handshake_seconds
        self._max_connections = max_connections

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave SIGTERM and SIGINT to the process."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        if sockets is None or (self._handshake_seconds is None and self._max_connections is None):
            await super().startup(sockets=sockets)
        else:
            acceptors: list[Any] = [self._accept_from(listening) for listening in sockets]
            self.servers = acceptors
            self.started = True
        self.answering.set()

    def _accept_from(self, listening: socket.socket) -> "_Acceptor":
        config, loop = self.config, asyncio.get_running_loop()
        protocol_class: Any = config.http_protocol_class
        make_protocol = functools.partial(
            protocol_class, config=config, server_state=self.server_state, app_state=self.lifespan.state
        )
        handshake_seconds = self._handshake_seconds if config.ssl is not None else None

        async def begin(connection: socket.socket) -> None:
            # Not asyncio's deadline: a process that stood still for that long would disconnect whoever is about to go on.
            deadline = patience(handshake_seconds) if handshake_seconds else contextlib.nullcontext()
            # Whoever breaks off the handshake is gone, and the connection with it; TimeoutError is an OSError.
            with contextlib.suppress(OSError):
                async with deadline:
                    await loop.connect_accepted_socket(
                        make_protocol,
                        connection,
                        ssl=config.ssl,
                        ssl_handshake_timeout=_NO_DEADLINE_SECONDS if handshake_seconds else None,
                    )

        def has_room(beginning: int) -> bool:
            return (
                self._max_connections is None or beginning + len(self.server_state.connections) < self._max_connections
            )

        listening.listen(config.backlog)
        return _Acceptor(listening, begin, has_room)


class _Acceptor:
    """Accepts connections while there is room for them; ``close`` and ``wait_closed`` are those of ``asyncio.Server``.

    ``begin`` ends when a connection is a protocol's, or is none any more; ``has_room`` is told how many are on the way to that.
    """

    def __init__(
        self,
        listening: socket.socket,
        begin: Callable[[socket.socket], Coroutine[Any, Any, None]],
        has_room: Callable[[int], bool],
    ) -> None:
        self._listening = listening
        self._begin = begin
        self._has_room = has_room
        self._beginning: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        listening.setblocking(False)
        self._listen()

    def close(self) -> None:
        """Accept no more, and give up those that are not connected yet."""
        self._loop.remove_reader(self._listening)
        if self._pause is not None:
            self._pause.cancel()
        for task in self._beginning:
            task.cancel()

    async def wait_closed(self) -> None:
        """Wait until these are gone."""
        await asyncio.gather(*self._beginning, return_exceptions=True)

    def _listen(self) -> None:
        self._loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                connection, _address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                # No descriptor is free (EMFILE): asking again at once would only cost time, as asyncio's own server knows.
                self._loop.remove_reader(self._listening)
                self._pause = self._loop.call_later(PAUSE_SECONDS, self._listen)
                return
            if self._has_room(len(self._beginning)):
                connection.setblocking(False)
                task = self._loop.create_task(self._begin(connection))
                self._beginning.add(task)
                task.add_done_callback(self._beginning.discard)
            else:
                connection.close()


class Listener:
    """One port and the server behind it: ``start``, then ``stop``."""

    def __init__(self, server: EmbeddedServer, *, host: str, port: int, purpose: str, settings: str) -> None:
        """``purpose`` and ``settings`` (``KRAUT_PROBE``) are words of the error when the port is taken."""
        self._server = server
        self._host, self._port = host, port
        self._purpose, self._settings = purpose, settings
        self._socket: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port listened on, known after ``start`` (the setting may say 0)."""
        if self._socket is None:
            raise RuntimeError(f"the server of {self._purpose} is not started: await start() first")
        return int(self._socket.getsockname()[1])

    async def start(self) -> None:
        """Listen and serve; returns when requests are answered. Raises ListenError when the port is taken."""
        # own socket: uvicorn ends the process when it cannot bind
        self._socket = self._listen()
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]), name=self._purpose)
        await self._server.answering.wait()

    async def stop(self) -> None:
        """Stop serving and close the port; harmless when not started."""
        if self._task is None or self._socket is None:
            return
        self._server.should_exit = True
        await self._task
        self._socket.close()
        self._task = None

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            return socket.create_server((self._host, self._port), family=family, backlog=128)
        except OSError as error:
            raise ListenError(
                f"cannot listen on {self._host} port {self._port} for {self._purpose} ({error.strerror}): set {self._settings}_HOST and {self._settings}_PORT to an address of this machine and a free port"
            ) from error
