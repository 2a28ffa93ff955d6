"""A lab: control plane, Temporal, hosts, apt repository and kraut's own processes, started together or apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property, partial
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from kraut_lab.apt import AptRepository
from kraut_lab.assets import Binaries
from kraut_lab.components import COMPONENTS, Component, is_startable
from kraut_lab.controlplane import ControlPlane
from kraut_lab.errors import LabError
from kraut_lab.files import file_lock
from kraut_lab.hosts import HostImage, LabHost
from kraut_lab.hosts.credentials import SshCredentials
from kraut_lab.hosts.fleet import HostFleet
from kraut_lab.names import LabNames, check_name, check_sites
from kraut_lab.progress import Progress, silent
from kraut_lab.record import LabRecord, read_record, write_record
from kraut_lab.requirements import check_host_requirements, check_linux
from kraut_lab.settings import LabSettings, load_lab_settings
from kraut_lab.sites import Federation
from kraut_lab.teardown import tear_down
from kraut_lab.temporal import TemporalServer

DEFAULT_HOSTS = 3


class Lab:
    """A handle on the lab of a name; making one touches nothing."""

    def __init__(
        self, name: str = "default", *, settings: LabSettings | None = None, progress: Progress = silent
    ) -> None:
        """Args:
        name: a DNS label of at most 32 characters.
        settings: default: from the environment.
        """
        self.name = check_name(name)
        self.settings = settings or load_lab_settings()
        self.folder = (self.settings.state_dir / name).absolute()
        self.names = LabNames(self.folder)
        self.ssh = SshCredentials(self.folder)
        self._progress = progress

    @property
    def record(self) -> LabRecord:
        """What the lab was asked to be.

        Raises:
            LabError: there is no such lab.
        """
        record = read_record(self.folder)
        if record is None:
            others = ", ".join(list_labs(self.settings.state_dir)) or "none"
            raise LabError(
                f"There is no lab {self.name!r} in {self.settings.state_dir} (there are: {others}): run `kraut lab up` first."
            )
        return record

    @property
    def exists(self) -> bool:
        """Whether `up` has been called, and `down` not since."""
        return read_record(self.folder) is not None

    @cached_property
    def control_plane(self) -> ControlPlane:
        """etcd, kube-apiserver and kube-controller-manager; with sites: the first one's."""
        if self.federation:
            return self.federation.home.control_plane
        binaries = Binaries(self.settings, self._progress)
        return ControlPlane(self.folder, minor=self.record.kubernetes, binaries=binaries, progress=self._progress)

    @cached_property
    def federation(self) -> Federation | None:
        """The clusters that trust each other; None without sites."""
        record = self.record
        if not record.sites:
            return None
        binaries = Binaries(self.settings, self._progress)
        return Federation(
            self.folder,
            record.sites,
            dex=record.dex,
            keycloak=record.keycloak,
            settings=self.settings,
            minor=record.kubernetes,
            binaries=binaries,
            progress=self._progress,
        )

    @cached_property
    def temporal(self) -> TemporalServer:
        """The Temporal development server."""
        return TemporalServer(self.folder, progress=self._progress)

    @property
    def apt_repository(self) -> AptRepository:
        """The repository that the hosts are updated from."""
        return self._fleet.repository

    @property
    def hosts(self) -> list[LabHost]:
        """The hosts, in the order of their indices; empty without any."""
        return self._fleet.hosts()

    def host(self, name: str) -> LabHost:
        """The host of a name such as ``host-1``.

        Raises:
            LabError: there is none.
        """
        for host in self.hosts:
            if host.name == name:
                return host
        raise LabError(f"The lab has no host {name!r}; it has {', '.join(host.name for host in self.hosts) or 'none'}.")

    @property
    def gateway(self) -> IPv4Address:
        """The machine's own address in the hosts' network; the apt repository is served there.

        Raises:
            LabError: the lab has no hosts.
        """
        if self.record.subnet is None:
            raise LabError(f"The lab {self.name} has no network: run `kraut lab up --hosts 1` or more.")
        return IPv4Network(self.record.subnet)[1]

    def component(self, name: str, *, instance: str = "") -> Component:
        """One of kraut's processes: ``operator`` or ``worker``; ``instance`` names further ones of a kind."""
        return Component(name, self.control_plane, self.temporal, instance=instance)

    def up(
        self,
        *,
        hosts: int | None = None,
        components: bool = True,
        debian_updates: bool = False,
        image: HostImage | None = None,
        kubernetes: str | None = None,
        sites: Sequence[str] = (),
        dex: bool = False,
        keycloak: bool = False,
    ) -> Lab:
        """Start what does not run, keep what does, and return the lab when all of it is ready.

        Args:
            hosts: how many hosts; default: as many as there are, 3 for a new lab, none for one with sites. More are
                added, none removed.
            components: whether operator and worker are started too, when their packages are installed.
            debian_updates: whether the hosts also have Debian's own archives, with security updates.
            image: for new hosts; default: Debian bookworm.
            kubernetes: for a new lab: a pinned minor such as ``v1.37``.
            sites: for a new lab: names of clusters that trust each other, the home cluster first.
            dex: whether Dex stands between the sites (RFC 8693).
            keycloak: whether Keycloak does (RFC 7523).

        Raises:
            MissingRequirementError: the machine lacks something.
            LabError: a part failed; calling again goes on from there.
        """
        check_linux()
        if hosts is None:
            hosts = len(self.record.hosts) if self.exists else 0 if sites else DEFAULT_HOSTS
        if hosts:
            check_host_requirements()
        with file_lock(self.names.lock, on_wait=self._say_waiting):
            asked = LabRecord(
                debian_updates=debian_updates,
                kubernetes=kubernetes,
                sites=check_sites(sites),
                dex=dex,
                keycloak=keycloak,
            )
            record = (read_record(self.folder) or asked).including(asked)
            check_providers(record)
            write_record(self.folder, record.with_hosts(hosts, image or HostImage()))
            clusters = self.federation.start if self.federation else self.control_plane.start
            in_parallel([clusters, self.temporal.start, self._start_hosts])
            if components:
                in_parallel([partial(self._start_component, name) for name in COMPONENTS])
        return self

    def down(self) -> None:
        """Remove everything the lab made. Nothing left to do is fine, whatever state the lab is in.

        Raises:
            LabError: something could not be removed; calling again goes on.
        """
        tear_down(self.folder, on_wait=self._say_waiting)

    def start_component(self, name: str, *, restart: bool = False) -> Component:
        """Start ``operator`` or ``worker`` and return it when it is ready."""
        component = self.component(name)
        component.start(restart=restart)
        return component

    def environment(self) -> dict[str, str]:
        """Environment variables with which kubectl, kraut and the temporal CLI use this lab."""
        federation = self.federation
        return {
            "KUBECONFIG": str(federation.kubeconfig if federation else self.control_plane.kubeconfig()),
            **(federation.environment() if federation else {}),
            "TEMPORAL_ADDRESS": self.temporal.address,
            "KRAUT_TEMPORAL_ADDRESS": self.temporal.address,
        }

    def describe(self) -> dict[str, Any]:
        """Everything a program needs to use this lab, as JSON."""
        identities = ("admin", *COMPONENTS)
        return {
            "name": self.name,
            "environment": self.environment(),
            "kubeconfigs": {identity: str(self.control_plane.kubeconfig(identity)) for identity in identities},
            "temporal": {"address": self.temporal.address, "ui": self.temporal.ui},
            "ssh": {"privateKey": str(self.ssh.private_key)},
            "hosts": [host.describe() for host in self.hosts],
            **(self.federation.describe() if self.federation else {}),
        }

    def _start_component(self, name: str) -> None:
        if is_startable(name):
            self._progress(f"starting kraut-{name}")
            self.component(name).start(restart=True)

    def _start_hosts(self) -> None:
        if self.record.hosts:
            subnet = self._fleet.create_network()
            write_record(self.folder, replace(self.record, subnet=str(subnet)))
            self._fleet.start(subnet)

    @property
    def _fleet(self) -> HostFleet:
        return HostFleet(self.names, self.record, self.settings, self.ssh, self._progress)

    def _say_waiting(self) -> None:
        self._progress(f"waiting for another process that works on the lab {self.name}")


def check_providers(record: LabRecord) -> None:
    """Raises LabError when something should stand between sites that are not there."""
    if (record.dex or record.keycloak) and not record.sites:
        raise LabError("Dex and Keycloak stand between sites: add --sites east,west to a new lab.")


def list_labs(state_dir: Path) -> list[str]:
    """The names of all labs in a state folder."""
    return sorted(file.parent.name for file in state_dir.glob("[!.]*/lab.json"))


def in_parallel(calls: Sequence[Callable[[], object]], *, workers: int = 8) -> None:
    """Run calls at once, wait for all of them, then raise the first error, if any."""
    with ThreadPoolExecutor(max_workers=workers) as pool:
        futures = [pool.submit(call) for call in calls]
    for future in futures:
        future.result()
