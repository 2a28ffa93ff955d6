"""What may be put around a process' ways to the outside: nothing in production, recorders and faults in tests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from temporalio.client import Interceptor

    from kraut_core.kube.client import KubeClient


def unchanged_kube(kube: "KubeClient") -> "KubeClient":
    """The client itself."""
    return kube


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """Handed to a process' composition root; the default changes nothing and costs nothing.

    ``temporal`` are interceptors of the client, and of its workers where they are ``temporalio.worker.Interceptor`` too;
    ``kube`` is called once with the client of the API server and returns the one to use.
    """

    temporal: "Sequence[Interceptor]" = ()
    kube: "Callable[[KubeClient], KubeClient]" = unchanged_kube
