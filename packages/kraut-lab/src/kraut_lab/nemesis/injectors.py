"""How each kind of fault is done to a scene and undone; both may be called at any time, and undone twice."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Final

from kraut_lab.components import Component
from kraut_lab.hosts import LabHost
from kraut_lab.nemesis.fault import KINDS, Fault
from kraut_lab.nemesis.scene import Scene

Deed = Callable[[Scene, Fault], object]


def begin(scene: Scene, fault: Fault) -> None:
    """Do it."""
    _DEEDS[fault.kind][0](scene, fault)


def end(scene: Scene, fault: Fault) -> None:
    """Undo it."""
    _DEEDS[fault.kind][1](scene, fault)


def heal(scene: Scene) -> None:
    """Undo all that may still be, whoever did it."""
    for component in scene.processes:
        component.send(signal.SIGCONT)
    _start_apiserver(scene)
    scene.lab.temporal.start()
    scene.lab.apt_repository.start(scene.lab.gateway)
    for machine in scene.machines:
        machine.network.heal()
        machine.power_on()
        scene.person.apply(machine.name, paused=False, updates="All")
        scene.person.request(machine.name)


def _machine(scene: Scene, fault: Fault) -> LabHost:
    return scene.machines[int(fault.target)]


def _operator(scene: Scene, fault: Fault) -> Component:
    return scene.operators[fault.target]


def _worker(scene: Scene, fault: Fault) -> Component:
    return scene.workers[fault.target]


def _start_apiserver(scene: Scene) -> None:
    scene.lab.control_plane.apiserver.send(signal.SIGCONT)
    scene.lab.control_plane.start()


def _nothing(scene: Scene, fault: Fault) -> None:
    del scene, fault


def _reboot(scene: Scene, fault: Fault) -> None:
    machine = _machine(scene, fault)
    if machine.pid is not None:
        machine.exec("systemctl --no-block reboot", check=False)


def _publish(scene: Scene, fault: Fault) -> None:
    scene.publish(fault.target)
    # Else kraut leaves what comes right after an installation alone for a quarter of an hour, to be no loop.
    for machine in scene.machines:
        scene.person.request(machine.name)


def _wish(**spec: object) -> Deed:
    return lambda scene, fault: scene.person.apply(_machine(scene, fault).name, **spec)


_DEEDS: Final[dict[str, tuple[Deed, Deed]]] = {
    "worker-kill": (lambda scene, fault: _worker(scene, fault).send(signal.SIGKILL), _nothing),
    "worker-stop": (
        lambda scene, fault: _worker(scene, fault).send(signal.SIGSTOP),
        lambda scene, fault: _worker(scene, fault).send(signal.SIGCONT),
    ),
    "operator-kill": (lambda scene, fault: _operator(scene, fault).send(signal.SIGKILL), _nothing),
    "operator-stop": (
        lambda scene, fault: _operator(scene, fault).send(signal.SIGSTOP),
        lambda scene, fault: _operator(scene, fault).send(signal.SIGCONT),
    ),
    "temporal-kill": (
        lambda scene, _: scene.lab.temporal.daemon.kill(signal.SIGKILL),
        lambda scene, _: scene.lab.temporal.start(),
    ),
    "apiserver-kill": (
        lambda scene, _: scene.lab.control_plane.apiserver.kill(signal.SIGKILL),
        lambda scene, _: _start_apiserver(scene),
    ),
    "apiserver-stop": (
        lambda scene, _: scene.lab.control_plane.apiserver.send(signal.SIGSTOP),
        lambda scene, _: scene.lab.control_plane.apiserver.send(signal.SIGCONT),
    ),
    "network-drop": (
        lambda scene, fault: _machine(scene, fault).network.partition(),
        lambda scene, fault: _machine(scene, fault).network.heal(),
    ),
    "network-reset": (
        lambda scene, fault: _machine(scene, fault).network.partition("reject"),
        lambda scene, fault: _machine(scene, fault).network.heal(),
    ),
    # What is lost is sent again, later and later: this is how latency comes about where the kernel has no netem.
    "network-loss": (
        lambda scene, fault: _machine(scene, fault).network.lose(30),
        lambda scene, fault: _machine(scene, fault).network.heal(),
    ),
    "power-off": (
        lambda scene, fault: _machine(scene, fault).power_off(),
        lambda scene, fault: _machine(scene, fault).power_on(wait=False),
    ),
    "power-reset": (lambda scene, fault: _machine(scene, fault).reset(), _nothing),
    "reboot-by-hand": (_reboot, _nothing),
    "pause": (_wish(paused=True), _wish(paused=False)),
    "updates-off": (_wish(updates="None"), _wish(updates="All")),
    "recreate": (lambda scene, fault: scene.person.recreate(_machine(scene, fault).name), _nothing),
    "request": (lambda scene, fault: scene.person.request(_machine(scene, fault).name), _nothing),
    "publish": (_publish, _nothing),
    "repository-down": (
        lambda scene, _: scene.lab.apt_repository.stop(),
        lambda scene, _: scene.lab.apt_repository.start(scene.lab.gateway),
    ),
}

assert _DEEDS.keys() == {kind.name for kind in KINDS}, "every kind of fault needs its deed"  # noqa: S101
