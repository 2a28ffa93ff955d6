"""Where faults strike: the machines of a lab, a person's objects for them, and kraut in pairs of processes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kraut_lab.components import Component
from kraut_lab.hosts import LabHost
from kraut_lab.lab import Lab, in_parallel
from kraut_lab.nemesis.fault import REPLICAS
from kraut_lab.nemesis.packages import FIRST_VERSION, PACKAGES, following, package
from kraut_lab.nemesis.person import Person
from kraut_lab.nemesis.witness import INSTALL, REMOVE

SWEEP_SECONDS: Final = 60
"""Between two looks at every host; in a run of minutes, what only a sweep finds is to be found too."""

_PREPARE = f"""
export DEBIAN_FRONTEND=noninteractive
rm -rf /var/lib/kraut /run/kraut-released
apt-get -qq update
apt-get -qq -y upgrade >/dev/null
apt-get -qq -y --allow-downgrades install {" ".join(f"{name}={FIRST_VERSION}" for name in PACKAGES)} >/dev/null
rm -f /run/reboot-required /run/reboot-required.pkgs
"""


class Scene:
    """Everything that a run touches. ``name`` is a namespace, a home id and part of the processes' names."""

    def __init__(self, lab: Lab, machines: Sequence[LabHost], name: str) -> None:
        self.lab = lab
        self.name = name
        self.machines = list(machines)
        self.person = Person(lab, machines, name)
        self.operators = {replica: lab.component("operator", instance=f"{name}-{replica}") for replica in REPLICAS}
        self.workers = {replica: lab.component("worker", instance=f"{name}-{replica}") for replica in REPLICAS}
        self.newest = dict.fromkeys(PACKAGES, FIRST_VERSION)
        self._publishing = threading.Lock()

    @property
    def processes(self) -> list[Component]:
        """kraut's."""
        return [*self.operators.values(), *self.workers.values()]

    @property
    def workflow_prefix(self) -> str:
        """Workflow ids of this scene begin so."""
        return f"{self.name}/"

    def operations_folder(self, machine: LabHost) -> Path:
        """Where a machine's operations are, seen from outside."""
        return self.files(machine) / "var/lib/kraut/ops"

    def files(self, machine: LabHost) -> Path:
        """What a machine has written to its disk, readable also while it is off."""
        return self.lab.folder / "hosts" / machine.name / "upper"

    @contextmanager
    def set_up(self, *, max_unavailable: int) -> Iterator[None]:
        """Machines in good order with updates waiting, objects and processes; all of it is taken away again."""
        self.lab.apt_repository.publish(*(package(name, FIRST_VERSION) for name in PACKAGES))
        in_parallel([lambda machine=machine: machine.exec(_PREPARE + INSTALL) for machine in self.machines])  # type: ignore[misc]
        self.person.prepare(max_unavailable=max_unavailable)
        in_parallel([lambda c=component: self._start(c) for component in self.processes])  # type: ignore[misc]
        for name in PACKAGES:
            self.publish(name)
        try:
            yield
        finally:
            in_parallel([lambda c=component: c.stop(grace=0) for component in self.processes])  # type: ignore[misc]
            in_parallel([lambda machine=machine: machine.exec(REMOVE) for machine in self.machines])  # type: ignore[misc]

    def publish(self, name: str) -> str:
        """Offer the next version of a package; returns it."""
        with self._publishing:
            version = following(self.newest[name])
            self.lab.apt_repository.publish(package(name, version))
            self.newest[name] = version
            return version

    def _start(self, component: Component) -> None:
        common = {"KRAUT_HOME_ID": self.name}
        operator = {"KRAUT_OPERATOR_NAMESPACES": self.name, "KRAUT_OPERATOR_RESYNC_SECONDS": "30"}
        worker = {
            "KRAUT_WORKER_SWEEP_INTERVAL_SECONDS": str(SWEEP_SECONDS),
            "KRAUT_WORKER_PACKAGE_LIST_MAX_AGE_SECONDS": "5",
        }
        component.start(restart=True, env={**common, **(operator if component.name == "operator" else worker)})
