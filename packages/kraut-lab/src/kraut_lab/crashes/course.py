"""The course of events that is swept: discover, update, reboot, delete."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kraut_lab.crashes.boundaries import crossed
from kraut_lab.crashes.finalstate import gather, gather_after_deletion, workflow_state
from kraut_lab.crashes.lane import Lane
from kraut_lab.crashes.packages import PACKAGES
from kraut_lab.errors import LabError
from kraut_lab.hosts import LabHost
from kraut_lab.hosts.witness import FORGET, INSTALL
from kraut_lab.waiting import wait_for

PATIENCE_SECONDS: Final = 240.0
"""For each step: a killed worker is noticed after its heartbeat timeout of 20 to 30 s, several times if need be."""

_UPGRADE = "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y upgrade >/dev/null"

_PREPARE = f"""
rm -rf /var/lib/kraut /run/kraut-released
DEBIAN_FRONTEND=noninteractive apt-get -qq -y --allow-downgrades install {" ".join(f"{name}=1.0" for name in PACKAGES)} >/dev/null
rm -f /run/reboot-required /run/reboot-required.pkgs
: >/var/log/kraut-lab-maintainer.log
{FORGET}
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One course with at most one fault. ``reached`` tells whether the fault happened."""

    at: str
    reached: bool
    seconds: float
    crossed: list[str]
    state: dict[str, Any] = field(repr=False)
    trouble: str = ""
    """Why the course did not come to its end; "" when it did."""


def introduce(host: LabHost) -> None:
    """Once for each host: it records its boots and package runs, and nothing but the sweep's packages is ever pending."""
    host.exec(INSTALL + _UPGRADE)


def run_course(lane: Lane, name: str, at: str = "") -> Run:
    """Discover, update, reboot and delete the lane's host as the object ``name``, with the fault at ``at``."""
    lane.wait_ready()
    lane.host.exec(_PREPARE)
    plan = lane.plan(name, at)
    began = time.monotonic()
    state: dict[str, Any] = {}
    trouble = ""
    try:
        _discover(lane, name)
        state = _update(lane, name)
        state["after deletion"] = _delete(lane, name)
    except LabError as error:
        trouble = f"{error} {_describe(lane, name)}"
        lane.delete(name)
    return Run(
        at=at,
        reached=Path(plan.marker).exists(),
        seconds=time.monotonic() - began,
        crossed=crossed(Path(plan.log)),
        state=state,
        trouble=trouble,
    )


def _discover(lane: Lane, name: str) -> None:
    lane.apply(name, updates="None")
    _wait(lane, name, "discovery", lambda host: _says(host, "Ready") and "packages" in host["status"])


def _update(lane: Lane, name: str) -> dict[str, Any]:
    lane.apply(name, updates="All")
    _wait(lane, name, "updates and reboot", lambda host: _says(host, "UpToDate"))
    return gather(lane, name)


def _delete(lane: Lane, name: str) -> dict[str, Any]:
    lane.delete(name)
    wait_for(lambda: True if lane.read(name) is None else None, f"{name} to be gone", timeout=PATIENCE_SECONDS)
    wait_for(lambda: _at_rest(lane, name), f"the workflow of {name} to rest", timeout=PATIENCE_SECONDS)
    return gather_after_deletion(lane)


def _wait(lane: Lane, name: str, what: str, done: Callable[[dict[str, Any]], bool]) -> None:
    def probe() -> bool | None:
        host = lane.read(name)
        return True if host and _is_current(host) and done(host) and _at_rest(lane, name) else None

    wait_for(probe, f"{what} of {name}", timeout=PATIENCE_SECONDS, interval=0.2)


def _at_rest(lane: Lane, name: str) -> bool | None:
    return True if workflow_state(lane.workflow(name)) == "at rest" else None


def _is_current(host: dict[str, Any]) -> bool:
    status = host.get("status") or {}
    return status.get("observedGeneration") == host["metadata"]["generation"] and "Reconciling" not in _said(host)


def _says(host: dict[str, Any], condition: str) -> bool:
    return _said(host).get(condition) == "True"


def _said(host: dict[str, Any]) -> dict[str, str]:
    return {c["type"]: c["status"] for c in (host.get("status") or {}).get("conditions", [])}


def _describe(lane: Lane, name: str) -> str:
    host = lane.read(name) or {}
    status = host.get("status") or {}
    said = [f"{c['type']}={c['status']} {c['reason']}: {c['message']}" for c in status.get("conditions", [])]
    done = [f"{o['type']} {o['result']} {o.get('message', '')}" for o in status.get("operations", [])]
    return f"Conditions: {said}; operations: {done}; workflow: {workflow_state(lane.workflow(name))}."
