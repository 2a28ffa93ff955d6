"""Probes and metrics on a port of their own: /livez, /readyz and /metrics.

Answers as kube-apiserver's health endpoints do (https://kubernetes.io/docs/reference/using-api/health-checks/): 200 or
503, and one line per check. Lives inside a running loop, installs no signal handlers and logs no access lines.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from kraut_core.serving import EmbeddedServer, Listener
from kraut_core.settings import ProbeSettings

Check = Callable[[], str | None]
"""Returns None when all is well, else a sentence; answers from memory, at once."""


class Probes:
    """The server of one process; ``async with`` it, or ``start`` and ``stop``.

    /livez says that the process answers; checks of /readyz say why work cannot be done now.
    """

    def __init__(self, settings: ProbeSettings, registry: CollectorRegistry) -> None:
        self._settings = settings
        self._ready: dict[str, Check] = {}
        self._app = _create_app(self._ready, registry)
        self._listener: Listener | None = None

    def add_readiness(self, name: str, check: Check) -> None:
        """Register a check of /readyz. Raises ValueError when the name is taken."""
        if name in self._ready:
            raise ValueError(f"a check named {name} exists already")
        self._ready[name] = check

    @property
    def port(self) -> int:
        """The port listened on, known after ``start`` (the setting may say 0)."""
        if self._listener is None:
            raise RuntimeError("the probes are not started: await start() first")
        return self._listener.port

    async def start(self) -> None:
        """Listen and serve; returns when requests are answered. Raises ListenError when the port is taken."""
        listener = Listener(
            # h11 where a service has httptools for its own port: few requests, and every one is checked in full
            EmbeddedServer(self._app, http="h11"),
            host=self._settings.host,
            port=self._settings.port,
            purpose="probes and metrics",
            settings="KRAUT_PROBE",
        )
        await listener.start()
        self._listener = listener

    async def stop(self) -> None:
        """Stop serving and close the port; harmless when not started."""
        if self._listener is not None:
            await self._listener.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def _create_app(ready: dict[str, Check], registry: CollectorRegistry) -> Starlette:
    async def livez(_: Request) -> Response:
        return _answer({})

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
