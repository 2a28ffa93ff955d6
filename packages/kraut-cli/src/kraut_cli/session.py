"""Which API server, which identity and which namespace a command speaks to."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from kraut_cli.kubeconfig import context_namespace

if TYPE_CHECKING:
    from kraut_core.kube.client import KubeClient

T = TypeVar("T")

FIELD_MANAGER: Final = "kraut-cli"
"""Owns the fields that ``kraut`` applies; a person's ``kubectl apply --server-side`` sees whom a conflict is with."""

_POD_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True)
class Session:
    """The person's access, as kubectl would use it. ``kubeconfig``: paths separated as in KUBECONFIG."""

    kubeconfig: str | None = None
    context: str | None = None
    wanted_namespace: str | None = None

    @cached_property
    def namespace(self) -> str:
        """``-n``, else the namespace of the kubeconfig's context, else the pod's, else ``default``."""
        if self.wanted_namespace:
            return self.wanted_namespace
        return context_namespace(self.kubeconfig, self.context) or _pod_namespace() or "default"

    @asynccontextmanager
    async def connect(self) -> "AsyncIterator[KubeClient]":
        """A client for the length of the block. Raises PermanentError when the kubeconfig cannot be used."""
        # Importing the client costs more than `kraut --help` may.
        from kraut_core.kube.client import KubeClient  # noqa: PLC0415

        agent = f"kraut-cli/{version('kraut-cli')}"
        async with KubeClient.connect(self.kubeconfig, self.context, user_agent=agent) as client:
            yield client

    def run(self, work: "Callable[[KubeClient], Awaitable[T]]") -> T:
        """Connect, await ``work(client)``, close, and return what it returned."""

        async def connected() -> T:
            async with self.connect() as client:
                return await work(client)

        import asyncio  # noqa: PLC0415 - `kraut --help` needs no event loop

        return asyncio.run(connected())


def _pod_namespace() -> str | None:
    return _POD_NAMESPACE.read_text().strip() if _POD_NAMESPACE.is_file() else None
