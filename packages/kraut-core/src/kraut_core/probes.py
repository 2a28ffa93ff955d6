"""Probes and metrics on a port of their own: /livez, /readyz and /metrics.

Answers as kube-apiserver's health endpoints do (https://kubernetes.io/docs/reference/using-api/health-checks/): 200 or
503, and one line per check. Lives inside a running loop, installs no signal handlers and logs no access lines.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Final, Self

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from kraut_core.errors import PermanentError
from kraut_core.settings import ProbeSettings

Check = Callable[[], str | None]
"""Returns None when all is well, else a sentence; answers from memory, at once."""

GRACE_SECONDS: Final = 1


class ListenError(PermanentError):
    """The address of the probes cannot be listened on."""

    default_reason = "ListenFailed"


class Probes:
    """The server of one process; ``async with`` it, or ``start`` and ``stop``.

    Liveness checks say that only a restart helps, readiness checks that work cannot be done now; a name is used once.
    """

    def __init__(self, settings: ProbeSettings, registry: CollectorRegistry) -> None:
        self._settings = settings
        self._live: dict[str, Check] = {}
        self._ready: dict[str, Check] = {}
        self._app = _create_app(live=self._live, ready=self._ready, registry=registry)
        self._socket: socket.socket | None = None
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    def add_liveness(self, name: str, check: Check) -> None:
        """Register a check of /livez. Raises ValueError when the name is taken."""
        _add(self._live, name, check)

    def add_readiness(self, name: str, check: Check) -> None:
        """Register a check of /readyz. Raises ValueError when the name is taken."""
        _add(self._ready, name, check)

    @property
    def port(self) -> int:
        """The port listened on, known after ``start`` (the setting may say 0)."""
        if self._socket is None:
            raise RuntimeError("the probes are not started: await start() first")
        return int(self._socket.getsockname()[1])

    async def start(self) -> None:
        """Listen and serve; returns when requests are answered. Raises ListenError when the port is taken."""
        # own socket: uvicorn ends the process when it cannot bind
        self._socket = _listen(self._settings)
        self._server = _Server(self._app)
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]), name="probes")
        await self._server.answering.wait()

    async def stop(self) -> None:
        """Stop serving and close the port; harmless when not started."""
        if self._server is None or self._task is None or self._socket is None:
            return
        self._server.should_exit = True
        await self._task
        self._socket.close()
        self._server = self._task = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


class _Server(uvicorn.Server):
    """uvicorn, which leaves signals to the process and says when it answers."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                access_log=False,
                date_header=False,
                lifespan="off",
                log_config=None,
                log_level="warning",
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
                ws="none",
            )
        )
        self.answering = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.answering.set()


def _listen(settings: ProbeSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=128)
    except OSError as error:
        raise ListenError(
            f"cannot listen on {settings.host} port {settings.port} for probes and metrics ({error.strerror}): set KRAUT_PROBE_HOST and KRAUT_PROBE_PORT to an address of this machine and a free port"
        ) from error


def _add(checks: dict[str, Check], name: str, check: Check) -> None:
    if name in checks:
        raise ValueError(f"a check named {name} exists already")
    checks[name] = check


def _create_app(*, live: dict[str, Check], ready: dict[str, Check], registry: CollectorRegistry) -> Starlette:
    async def livez(_: Request) -> Response:
        return _answer(live)

    async def readyz(_: Request) -> Response:
        return _answer(ready)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return Starlette(routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)])


def _answer(checks: dict[str, Check]) -> Response:
    results = {name: _run(check) for name, check in checks.items()}
    lines = [f"[+]{name} ok" if found is None else f"[-]{name} failed: {found}" for name, found in results.items()]
    healthy = all(found is None for found in results.values())
    lines.append("ok" if healthy else "not ok")
    return PlainTextResponse("\n".join(lines) + "\n", status_code=200 if healthy else 503)


def _run(check: Check) -> str | None:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 (a broken check is a failed check, not a broken server)
        return f"the check itself failed with {type(error).__name__}"
