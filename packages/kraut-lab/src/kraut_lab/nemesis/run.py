"""One run: set the scene, let the faults strike, heal, wait for the end, write all of it down."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kraut_lab.errors import LabError
from kraut_lab.hosts import LabHost
from kraut_lab.lab import Lab
from kraut_lab.nemesis import injectors
from kraut_lab.nemesis.checks.convergence import places_held, problems
from kraut_lab.nemesis.fault import Fault
from kraut_lab.nemesis.final import describe_left, describe_machine, describe_processes, describe_workflows
from kraut_lab.nemesis.history import HistoryWriter
from kraut_lab.nemesis.recorder import Recorder
from kraut_lab.nemesis.scene import Scene
from kraut_lab.nemesis.witness import LOG, read_witness
from kraut_lab.progress import Progress, silent
from kraut_lab.waiting import wait_for

PATIENCE_SECONDS: Final = 300.0
"""After the healing, for all of it to converge: a few sweeps, the longest pauses, a reboot."""
_AWAY = (OSError, http.client.HTTPException, LabError, ValueError)


@dataclass(frozen=True)
class Course:
    """What is run. ``minutes``: how long faults strike; healing comes on top."""

    seed: int
    minutes: float
    faults: Sequence[Fault]
    max_unavailable: int = 1


def run(
    lab: Lab, machines: Sequence[LabHost], course: Course, file: Path, *, name: str, progress: Progress = silent
) -> None:
    """Run a course and write its history to ``file``; what is wrong about it, the checker says.

    Args:
        name: of the namespace and the home id; one that was not used before.

    Raises:
        LabError: the scene could not be set, or not be healed: that is the lab's fault and says nothing of kraut.
    """
    scene = Scene(lab, machines, name)
    history = HistoryWriter(file)
    history.note(
        "run",
        seed=course.seed,
        minutes=course.minutes,
        hosts=[machine.name for machine in machines],
        maxUnavailable=course.max_unavailable,
        faults=[fault.describe() for fault in course.faults],
    )
    try:
        with scene.set_up(max_unavailable=course.max_unavailable), _recorder(scene, history).running():
            _play(scene, course, history, progress)
            _close(scene, history, progress)
            scene.person.leave()
            for machine in scene.machines:
                history.note("left", **describe_left(scene, machine))
    finally:
        history.close()


def _play(scene: Scene, course: Course, history: HistoryWriter, progress: Progress) -> None:
    for machine in scene.machines:
        scene.person.apply(machine.name)
    began = time.monotonic()
    threads = [
        threading.Thread(target=_strike, args=(scene, fault, began, history, progress), daemon=True)
        for fault in course.faults
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    progress("healing")
    injectors.heal(scene)
    history.note("healed")


def _strike(scene: Scene, fault: Fault, began: float, history: HistoryWriter, progress: Progress) -> None:
    for phase, deed, due in (
        ("begin", injectors.begin, fault.at),
        ("end", injectors.end, fault.at + fault.seconds),
    ):
        time.sleep(max(0.0, began + due - time.monotonic()))
        trouble = ""
        try:
            deed(scene, fault)
        except _AWAY as error:
            # One fault may take away what another needs; the healing does not forgive that, and raises.
            trouble = str(error)
        history.note("fault", number=fault.number, kind=fault.kind, target=fault.target, phase=phase, trouble=trouble)
        if phase == "begin" or trouble:
            progress(f"{fault}{f' ({phase}: {trouble})' if trouble else ''}")


def _close(scene: Scene, history: HistoryWriter, progress: Progress) -> None:
    began = time.monotonic()
    try:
        wait_for(lambda: _all_done(scene), "all hosts to converge", timeout=PATIENCE_SECONDS, interval=1)
        progress(f"converged {time.monotonic() - began:.0f} s after the healing")
    except LabError as error:
        progress(str(error))
    history.note("waited", seconds=round(time.monotonic() - began, 1))
    for machine in scene.machines:
        history.note("final", **describe_machine(scene, machine))
    history.note("final-policy", object=scene.person.policy())
    for process in describe_processes(scene):
        history.note("resources", **process)
    for workflow in describe_workflows(scene):
        history.note("workflow", **workflow)
    for machine in scene.machines:
        for event in read_witness(scene.files(machine) / LOG.lstrip("/"), machine.name):
            history.note(**event)


def _all_done(scene: Scene) -> bool | None:
    try:
        if places_held(scene.person.policy()):
            return None
        return not any(problem for m in scene.machines for problem in problems(describe_machine(scene, m))) or None
    except _AWAY:
        return None


def _recorder(scene: Scene, history: HistoryWriter) -> Recorder:
    return Recorder(
        history,
        scene.lab.control_plane.admin,
        collections=[scene.person.collection(plural) for plural in ("hosts", "upgradepolicies")],
        folders={machine.name: scene.operations_folder(machine) for machine in scene.machines},
        processes=scene.processes,
    )
