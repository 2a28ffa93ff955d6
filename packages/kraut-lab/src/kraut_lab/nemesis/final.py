"""How things stand when all is healed: asked of the machines' consoles, the API server and Temporal."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from kraut_lab.errors import LabError
from kraut_lab.faults.limits import descriptors
from kraut_lab.faults.signals import running_process
from kraut_lab.hosts import LabHost
from kraut_lab.nemesis.history import Event
from kraut_lab.nemesis.packages import PACKAGES
from kraut_lab.nemesis.scene import Scene
from kraut_lab.temporal import TemporalServer

STOOD_STILL: Final = "TMPRL1101"
"""The SDK for Python, of a task that did not go on for two seconds ("Potential deadlock detected"): SIGSTOP is one of the faults."""

_INSPECT: Final = """
echo boot=$(cat /proc/sys/kernel/random/boot_id)
echo broken=$(dpkg --audit | wc -l)
echo rebootRequired=$(ls /run/reboot-required 2>/dev/null | wc -l)
echo units=$(systemctl list-units --no-legend --plain --all 'kraut-*-*.service' | wc -l)
for lock in lock start.lock; do flock -n /var/lib/kraut/$lock true && echo $lock=free || echo $lock=held; done
"""


def describe_machine(scene: Scene, machine: LabHost) -> Event:
    """A machine and its Host as they are now: fields of an event ``final``."""
    answers = dict(line.split("=", 1) for line in machine.exec(_INSPECT, check=False).stdout.splitlines())
    return {
        "host": machine.name,
        "object": scene.person.read(machine.name),
        "installed": installed(machine),
        "published": dict(scene.newest),
        **answers,
    }


def describe_left(scene: Scene, machine: LabHost) -> Event:
    """What is left of a machine's Host after its deletion: fields of an event ``left``."""
    folder = machine.exec("ls -d /var/lib/kraut", check=False).stdout.strip()
    return {"host": machine.name, "object": scene.person.read(machine.name), "folder": folder}


def describe_processes(scene: Scene) -> list[Event]:
    """What each process of kraut uses now: fields of events ``resources``; one that does not become ready is left out."""
    found: list[Event] = []
    for component in scene.processes:
        with suppress(OSError, LabError):
            component.wait_ready()
            status = Path(f"/proc/{running_process(component).pid}/status").read_text()
            resident = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
            name = component.daemon.name
            found.append({"name": name, "memoryMiB": int(resident) // 1024, "descriptors": descriptors(component)})
    return found


def installed(machine: LabHost) -> dict[str, str]:
    """Package -> version and dpkg's state of it, as in ``1.3 installed``."""
    query = "dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\\n' " + " ".join(PACKAGES)
    lines = machine.exec(query, check=False).stdout.splitlines()
    return {package: state for package, _, state in (line.partition(" ") for line in lines)}


def describe_workflows(scene: Scene) -> list[Event]:
    """All runs of all workflows of the scene: fields of events ``workflow``."""
    query = quote(f'WorkflowId STARTS_WITH "{scene.workflow_prefix}Host/"')
    temporal = scene.lab.temporal
    base = "/api/v1/namespaces/default/workflows"
    found: list[Event] = []
    token = ""
    while True:
        page = temporal.ask(f"{base}?query={query}&nextPageToken={quote(token)}")
        found += [_workflow(temporal, base, execution) for execution in page.get("executions", [])]
        token = page.get("nextPageToken") or ""
        if not token:
            return found


def _cause(attributes: dict[str, Any]) -> str:
    """Temporal's cause of a failed task, or the SDK's own code when it found that the process stood still."""
    message = (attributes.get("failure") or {}).get("message", "")
    return STOOD_STILL if STOOD_STILL in message else str(attributes.get("cause", ""))


def _workflow(temporal: TemporalServer, base: str, execution: dict[str, Any]) -> Event:
    id_, run = execution["execution"]["workflowId"], execution["execution"]["runId"]
    path = f"{base}/{quote(id_, safe='')}"
    described = temporal.ask(f"{path}?execution.runId={run}")
    events, token = [], ""
    while True:
        page = temporal.ask(f"{path}/history?execution.runId={run}&nextPageToken={quote(token)}")
        events += page["history"].get("events", [])
        token = page.get("nextPageToken") or ""
        if not token:
            break
    pending = [
        {"type": p["activityType"]["name"], "attempt": int(p.get("attempt", 1)), "state": p.get("state", "")}
        for p in described.get("pendingActivities") or []
    ]
    causes = [
        _cause(event["workflowTaskFailedEventAttributes"])
        for event in events
        if event.get("eventType") == "EVENT_TYPE_WORKFLOW_TASK_FAILED"
    ]
    return {
        "id": id_,
        "run": run,
        "status": execution["status"],
        "pendingActivities": pending,
        "pendingTaskAttempt": int((described.get("pendingWorkflowTask") or {}).get("attempt", 0)),
        "taskFailures": causes,
        "events": len(events),
    }
