"""What each part of a lab does right now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from kraut_lab.components import COMPONENTS
from kraut_lab.controlplane import ControlPlane
from kraut_lab.daemon import Daemon
from kraut_lab.lab import Lab
from kraut_lab.sites import Federation

State = Literal["Ready", "NotReady", "Stopped"]


@dataclass(frozen=True)
class PartStatus:
    """One process or host of a lab."""

    name: str
    state: State
    """``Ready``; ``NotReady``: it runs and does not answer; ``Stopped``: it does not run."""
    pid: int | None
    address: str
    """Where it answers: a URL, ``host:port`` or an IP address."""
    log: str
    """Path of its log."""
    wanted: bool = True
    """Whether `Lab.up` starts it: a component that has never been started is not missed."""


def lab_status(lab: Lab) -> list[PartStatus]:
    """The state of every part.

    Raises:
        LabError: there is no such lab.
    """
    clusters = _sites(lab.federation) if lab.federation else _control_plane(lab.control_plane)
    return [*clusters, *_temporal(lab), *_hosts(lab), *_components(lab)]


def _sites(federation: Federation) -> Iterator[PartStatus]:
    for site in federation.sites:
        yield from _control_plane(site.control_plane, f"{site.name}/")
        proxy = site.proxy
        yield _part(proxy.daemon, site.issuer, ready=proxy.is_ready(), prefix=f"{site.name}/")
    if federation.dex:
        yield _part(federation.dex.daemon, federation.dex.issuer, ready=federation.dex.is_ready())
    if keycloak := federation.keycloak:
        yield _part(keycloak.daemon, keycloak.issuer, ready=keycloak.is_ready())


def _control_plane(plane: ControlPlane, prefix: str = "") -> Iterator[PartStatus]:
    ports = plane.ports
    ready, manager_ready = plane.admin.is_ready(), plane.is_ready()
    manager = f"https://127.0.0.1:{ports.controller_manager}"
    yield _part(plane.etcd, f"https://127.0.0.1:{ports.etcd_client}", ready=ready, prefix=prefix)
    yield _part(plane.apiserver, plane.url, ready=ready, prefix=prefix)
    yield _part(plane.controller_manager, manager, ready=manager_ready, prefix=prefix)


def _temporal(lab: Lab) -> Iterator[PartStatus]:
    temporal = lab.temporal
    yield _part(temporal.daemon, f"{temporal.address} ({temporal.ui})", ready=temporal.is_ready())


def _hosts(lab: Lab) -> Iterator[PartStatus]:
    if not lab.record.hosts:
        return
    repository = lab.apt_repository.daemon
    yield _part(repository, str(lab.gateway), ready=repository.is_running())
    for host in lab.hosts:
        state = _state(running=host.is_running(), ready=host.answers())
        yield PartStatus(host.name, state, host.pid, f"{host.user}@{host.address}", str(host.supervisor.log))


def _components(lab: Lab) -> Iterator[PartStatus]:
    for name in COMPONENTS:
        component = lab.component(name)
        state = _state(running=component.is_running(), ready=component.is_ready())
        wanted = component.was_started
        address = component.probe_url if wanted else ""
        yield PartStatus(component.daemon.name, state, component.pid, address, str(component.log), wanted)


def _part(daemon: Daemon, address: str, *, ready: bool, prefix: str = "") -> PartStatus:
    state = _state(running=daemon.is_running(), ready=ready)
    return PartStatus(f"{prefix}{daemon.name}", state, daemon.pid, address, str(daemon.log))


def _state(*, running: bool, ready: bool) -> State:
    if not running:
        return "Stopped"
    return "Ready" if ready else "NotReady"
