"""kraut's own processes in a lab: the operator and the worker, each under its own identity."""

from __future__ import annotations

import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from kraut_lab.controlplane import ControlPlane
from kraut_lab.daemon import READY_SECONDS, Daemon
from kraut_lab.errors import LabError
from kraut_lab.files import read_json, write_json
from kraut_lab.ports import choose_ports, is_free
from kraut_lab.processes import ProcessId, children, kill_all
from kraut_lab.temporal import TemporalServer

COMPONENTS = ("operator", "worker")

# What a Deployment does for a process that ends: start it again, a moment later.
_RESTART_LOOP = 'while :; do "$@" || :; sleep 1; done'


def is_startable(name: str) -> bool:
    """Whether the component's package is installed and can be run."""
    package = find_spec(f"kraut_{name}")
    folders = package.submodule_search_locations or [] if package else []
    return any((Path(folder) / "__main__.py").exists() for folder in folders)


class Component:
    """One process of a component; several of one kind differ by ``instance``."""

    def __init__(self, name: str, control_plane: ControlPlane, temporal: TemporalServer, *, instance: str = "") -> None:
        """Args: name: ``operator`` or ``worker``. instance: distinguishes processes of one kind, e.g. ``b``."""
        self.name = name
        self.daemon = Daemon(control_plane.folder, f"kraut-{name}{f'-{instance}' if instance else ''}")
        self._control_plane = control_plane
        self._temporal = temporal

    @property
    def log(self) -> Path:
        """Its log, appended to by every start."""
        return self.daemon.log

    @property
    def process(self) -> ProcessId | None:
        """The process itself, not the loop that restarts it; None when it does not run (or restarts just now)."""
        outer = self.daemon.process
        if outer is None or not self._restarts:
            return outer
        return next((child for child in children(outer.pid) if _is_python(child)), None)

    @property
    def pid(self) -> int | None:
        """Process id of `process`."""
        process = self.process
        return process.pid if process else None

    @property
    def probe_url(self) -> str:
        """Where it serves /livez, /readyz and /metrics."""
        return f"http://127.0.0.1:{self._probe_port}"

    @property
    def was_started(self) -> bool:
        """Whether it has ever been started in this lab."""
        return "restart" in (read_json(self._state_file) or {})

    def is_running(self) -> bool:
        """Whether the process runs (a stopped one, SIGSTOP, does)."""
        return self.process is not None

    def is_ready(self) -> bool:
        """Whether /readyz answers 200."""
        try:
            with urllib.request.urlopen(f"{self.probe_url}/readyz", timeout=2) as answer:  # noqa: S310 - http, on loopback
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def start(
        self,
        *,
        restart: bool = False,
        env: Mapping[str, str] | None = None,
        wait: bool = True,
        arguments: Sequence[str] = (),
    ) -> None:
        """Start it unless it runs, and wait until it is ready.

        Args:
            arguments: of Python, e.g. ``("-m", "kraut_worker.testing.crash_points", "plan.json")``; default: the component.
            restart: start it again whenever it ends, as a Deployment does.
            env: more environment, e.g. ``{"KRAUT_LOG_LEVEL": "debug"}``.
            wait: False returns at once.

        Raises:
            LabError: its package is not installed, or it does not become ready.
            PartFailedError: it ended; the message carries the end of its log.
        """
        if not is_startable(self.name):
            raise LabError(f"python -m kraut_{self.name} cannot be run: install the package kraut-{self.name} here.")
        program = [sys.executable, *(arguments or ("-m", f"kraut_{self.name}"))]
        if not self.daemon.is_running():
            port = self._probe_port if is_free(self._probe_port) else choose_ports(1)[0]
            write_json(self._state_file, {"restart": restart, "port": port})
        argv = ["/bin/sh", "-c", _RESTART_LOOP, self.daemon.name, *program] if restart else program
        self.daemon.start(self._control_plane.wrap(argv), {**self._environment(), **(env or {})})
        if wait:
            self.wait_ready()

    def wait_ready(self, *, timeout: float = READY_SECONDS) -> None:
        """Wait until it is ready; raises as `start`."""
        self.daemon.wait_ready(self.is_ready, "answers /readyz", timeout=timeout)

    def send(self, number: int) -> bool:
        """Send a signal such as ``signal.SIGSTOP`` to the process; False when there is none."""
        process = self.process
        return process is not None and process.send(number)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End the process with a signal and wait for its end. A restarting component then starts again."""
        process = self.process
        if process is None:
            return
        process.send(number)
        if not process.wait(30):
            raise LabError(f"{self.daemon.name} (pid {process.pid}) still runs 30 s after signal {number}.")

    def stop(self, *, grace: float = 10.0) -> None:
        """End it for good: SIGTERM, after ``grace`` seconds SIGKILL."""
        process = self.process
        if self._restarts:
            self.daemon.stop(grace=0)
        kill_all([process] if process else [], grace=grace)

    @property
    def _state_file(self) -> Path:
        return self.daemon.folder / "components" / f"{self.daemon.name}.json"

    @property
    def _restarts(self) -> bool:
        return bool((read_json(self._state_file) or {}).get("restart"))

    @property
    def _probe_port(self) -> int:
        recorded = read_json(self._state_file)
        if recorded is None:
            recorded = {"port": choose_ports(1)[0]}
            write_json(self._state_file, recorded)
        return int(recorded["port"])

    def _environment(self) -> dict[str, str]:
        kubeconfig = str(self._control_plane.kubeconfig(self.name))
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.daemon.folder),
            "PYTHONUNBUFFERED": "1",
            "KUBECONFIG": kubeconfig,
            "KRAUT_KUBE_KUBECONFIG": kubeconfig,
            "KRAUT_TEMPORAL_ADDRESS": self._temporal.address,
            "KRAUT_PROBE_HOST": "127.0.0.1",
            "KRAUT_PROBE_PORT": str(self._probe_port),
            # Dex and Keycloak of a lab are on loopback, where no provider is asked otherwise.
            **({"KRAUT_WORKER_PROVIDER_NETWORKS": "127.0.0.0/8"} if self.name == "worker" else {}),
        }


def _is_python(process: ProcessId) -> bool:
    try:
        return Path(f"/proc/{process.pid}/cmdline").read_bytes().startswith(sys.executable.encode())
    except OSError:
        return False
