"""Every request to the API server, and every piece of a watch, as a crossing."""

from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from typing import Any, cast

from kraut_core.kube.client import KubeClient
from kraut_core.kube.transport import JSON, Request, Transport
from kraut_core.testing.crossings import Crossings, Scope

WATCHER = "operator"
"""The scope of what arrives without having been asked for."""


def crossing_kube(kube: KubeClient, crossings: Crossings) -> KubeClient:
    """The same client, with every crossing logged."""
    return KubeClient(CrossingTransport(kube.transport, crossings))


class CrossingTransport(Transport):
    """A transport around another one."""

    def __init__(self, inner: Transport, crossings: Crossings) -> None:
        self._inner = inner
        self._crossings = crossings
        self.access, self.clock = inner.access, inner.clock

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> bytes:
        """As ``Transport.request``."""
        with self._crossings.around(f"kube {method} {shape(path)}"):
            return await self._inner.request(
                method, path, params=params, body=body, content_type=content_type, accept=accept
            )

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Any]:
        """As ``Transport.stream``; each piece that names the target is a crossing: arrived, and dealt with."""
        async with self._inner.stream(request) as response:
            yield _Response(response, shape(request.path), self._crossings)


class _Response:
    """The part of a response that streams use."""

    def __init__(self, inner: Any, shape: str, crossings: Crossings) -> None:
        self._inner = inner
        self._shape = shape
        self._crossings = crossings
        self._dealing: ExitStack | None = None
        self.content = self

    async def read(self) -> bytes:
        return cast("bytes", await self._inner.read())

    async def readany(self) -> bytes:
        if self._dealing is not None:
            # Whoever asks for the next piece has dealt with the last one.
            dealt, self._dealing = self._dealing, None
            dealt.close()
        piece = cast("bytes", await self._inner.content.readany())
        target = self._crossings.target()
        if target and f'"name":"{target}"'.encode() in piece:
            self._dealing = ExitStack()
            self._dealing.enter_context(self._crossings.around(f"watch {self._shape}", Scope(target, WATCHER)))
        return piece


def shape(path: str) -> str:
    """What a path is about, without names: ``/apis/kraut.dev/v1alpha1/namespaces/a/hosts/b/status`` is ``hosts/_/status``."""
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        parts = parts[2:]
    return "/".join("_" if number == 1 else part for number, part in enumerate(parts))
