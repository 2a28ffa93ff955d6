"""What figures run on: the lab's parts, started when first wanted and gone afterwards, also when the bench is killed."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

from kraut_lab.components import Component
from kraut_lab.controlplane import ControlPlane
from kraut_lab.hosts import HostImage
from kraut_lab.lab import Lab, in_parallel
from kraut_lab.owner import abandoned, claim
from kraut_lab.settings import load_lab_settings
from kraut_lab.teardown import tear_down
from kraut_lab.temporal import TemporalServer
from kraut_lab.watchdog import Watchdog

_WITH_PYTHON = HostImage(packages=("python3", "python3-apt"))

_A_DAY = "86400"


@dataclass(slots=True)
class Sizes:
    """How much is measured: ``size`` is what the figure says it is, ``hosts`` how many real hosts the lab has."""

    size: int
    rounds: int
    hosts: int


@dataclass
class Stage:
    """Handed to a figure. ``notes`` are facts about this run that the report repeats."""

    folder: Path
    sizes: Sizes
    say: Callable[[str], None]
    notes: list[str] = field(default_factory=list)

    @cached_property
    def plane(self) -> ControlPlane:
        """etcd, kube-apiserver and kube-controller-manager, ready."""
        plane = ControlPlane(self.folder)
        plane.start()
        return plane

    @cached_property
    def temporal(self) -> TemporalServer:
        """Temporal's development server, ready."""
        server = TemporalServer(self.folder)
        server.start()
        return server

    @cached_property
    def lab(self) -> Lab:
        """A lab with real hosts that have Python and its binding to apt, which Ansible needs on them; without operator and worker.

        Their package lists are those of Debian's own archives, so that reading them costs what it does on real hosts.
        """
        lab = Lab(self.folder.name).up(
            hosts=self.sizes.hosts, components=False, debian_updates=True, image=_WITH_PYTHON
        )
        in_parallel([partial(host.exec, "apt-get -qq update") for host in lab.hosts], workers=2)
        return lab

    def component(self, name: str, instance: str) -> Component:
        """``operator`` or ``worker`` as the lab runs it, not started yet; its settings are `component_settings`."""
        return Component(name, self.plane, self.temporal, instance=instance)

    def component_settings(self, home: str) -> dict[str, str]:
        """Settings of operator and worker that serve one namespace, ``home``, and do not sweep while something is measured."""
        return {
            "KRAUT_HOME_ID": home,
            "KRAUT_OPERATOR_NAMESPACES": home,
            "KRAUT_WORKER_SWEEP_INTERVAL_SECONDS": _A_DAY,
            "KRAUT_LOG_LEVEL": "info",
        }

    def operator_settings(self, namespace: str, home: str) -> dict[str, str]:
        """Settings of an operator that watches one namespace, with the identity that it is shipped with."""
        return {
            "KRAUT_KUBE_KUBECONFIG": str(self.plane.kubeconfig("operator")),
            "KRAUT_TEMPORAL_ADDRESS": self.temporal.address,
            "KRAUT_HOME_ID": home,
            "KRAUT_OPERATOR_NAMESPACES": namespace,
            "KRAUT_OPERATOR_LEADER_ELECTION": "false",
        }


@contextmanager
def own_folder() -> Iterator[Path]:
    """The folder of a lab that is torn down at the end of this block or of this process."""
    state_dir = load_lab_settings().state_dir
    for left in abandoned(state_dir):
        tear_down(left)
    folder = state_dir / f"bench-{os.getpid()}"
    claim(folder)
    watchdog = Watchdog(folder)
    try:
        yield folder
    finally:
        tear_down(folder)
        watchdog.release()
