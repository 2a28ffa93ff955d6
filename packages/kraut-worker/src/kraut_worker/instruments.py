"""What may be put around the worker's ways to the outside."""

from collections.abc import Callable
from dataclasses import dataclass

from kraut_core.instruments import Instruments
from kraut_worker.ports import HostConnector


def unchanged_hosts(connector: HostConnector) -> HostConnector:
    """The connector itself."""
    return connector


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInstruments(Instruments):
    """``hosts`` is called once with the connector of hosts and returns the one to use."""

    hosts: Callable[[HostConnector], HostConnector] = unchanged_hosts
