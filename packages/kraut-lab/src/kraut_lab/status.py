"""What each part of a lab does right now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from kraut_lab.components import COMPONENTS
from kraut_lab.daemon import Daemon
from kraut_lab.lab import Lab

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
    return [*_control_plane(lab), *_hosts(lab), *_components(lab)]


def _control_plane(lab: Lab) -> Iterator[PartStatus]:
    plane, temporal = lab.control_plane, lab.temporal
    ports = plane.ports
    ready, manager_ready = plane.admin.is_ready(), plane.is_ready()
    yield _part(plane.etcd, f"https://127.0.0.1:{ports.etcd_client}", ready=ready)
    yield _part(plane.apiserver, plane.url, ready=ready)
    yield _part(plane.controller_manager, f"https://127.0.0.1:{ports.controller_manager}", ready=manager_ready)
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


def _part(daemon: Daemon, address: str, *, ready: bool) -> PartStatus:
    state = _state(running=daemon.is_running(), ready=ready)
    return PartStatus(daemon.name, state, daemon.pid, address, str(daemon.log))


def _state(*, running: bool, ready: bool) -> State:
    if not running:
        return "Stopped"
    return "Ready" if ready else "NotReady"
