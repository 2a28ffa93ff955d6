"""uvicorn inside a running loop: no signal handlers, no access lines, a socket that is known before it answers."""

import asyncio
import contextlib
import functools
import socket
from collections.abc import Generator
from typing import Any, Final

import uvicorn

from kraut_core.errors import PermanentError

GRACE_SECONDS: Final = 1


class ListenError(PermanentError):
    """The address to serve at cannot be listened on."""

    default_reason = "ListenFailed"


class EmbeddedServer(uvicorn.Server):
    """uvicorn, which leaves signals to the process and says when it answers; ``options`` are uvicorn.Config's.

    ``handshake_seconds``: deadline of a TLS handshake; uvicorn has no setting for it, and asyncio's default is a minute.
    """

    def __init__(self, app: Any, *, handshake_seconds: float | None = None, **options: Any) -> None:
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

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave SIGTERM and SIGINT to the process."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        if self._handshake_seconds is None or self.config.ssl is None or sockets is None:
            await super().startup(sockets=sockets)
        else:
            self.servers = [await self._serve_tls(listening, self._handshake_seconds) for listening in sockets]
            self.started = True
        self.answering.set()

    async def _serve_tls(self, listening: socket.socket, handshake_seconds: float) -> asyncio.base_events.Server:
        config = self.config
        protocol_class: Any = config.http_protocol_class
        make_protocol = functools.partial(
            protocol_class, config=config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return await asyncio.get_running_loop().create_server(
            make_protocol,
            sock=listening,
            ssl=config.ssl,
            backlog=config.backlog,
            ssl_handshake_timeout=handshake_seconds,
        )


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
