"""What is left when all is done: gathered from the host's console, the API server and Temporal, and compared (pure)."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from kraut_lab.crashes.lane import Lane
from kraut_lab.hosts.witness import Witnessed, read_witnessed

VOLATILE: Final = frozenset(
    {
        "lastTransitionTime",
        "lastRequestTime",
        "startTime",
        "completionTime",
        "listsRefreshedAt",
        "id",
        "uid",
        "version",
        "bootID",
        "machineID",
        "workflowID",
        "resourceVersion",
    }
)
"""Fields that differ between any two runs."""

_INSPECT = """
for package in $(dpkg-query -W -f '${Package} ' 'kraut-sweep-*'); do
  echo "$package=$(dpkg-query -W -f '${Version} ${db:Status-Status}' $package)"
done
echo broken=$(dpkg --audit | wc -l)
echo rebootRequired=$(ls /run/reboot-required 2>/dev/null | wc -l)
echo units=$(systemctl list-units --no-legend --plain --all 'kraut-*.service' | wc -l)
for lock in lock start.lock; do
  if flock -n /var/lib/kraut/$lock true; then echo $lock=free; else echo $lock=held; fi
done
"""

_OPERATIONS = """
cd /var/lib/kraut/ops && for id in *; do
  echo $id $(sed -n 's/^type=//p' $id/spec) $(sed -n 's/^exitCode=//p' $id/result)
done
"""


def gather(lane: Lane, name: str) -> dict[str, Any]:
    """The final state of a run, as far as it must be the same in every run."""
    host = lane.read(name) or {}
    status = host.get("status") or {}
    operations = [line.split() for line in lane.host.exec(_OPERATIONS).stdout.splitlines()]
    recorded = read_witnessed(lane.host)
    return {
        "status": steady(status),
        "generation": host["metadata"]["generation"],
        "finalizers": host["metadata"].get("finalizers"),
        "status names the running boot": (status.get("hostInfo") or {}).get("bootID") == lane.host.boot_id,
        "operations in status are those on the host": sorted(o["id"] for o in status.get("operations") or [])
        == sorted(id_ for id_, *_ in operations),
        "reservations": (lane.policy().get("status") or {}).get("reservations") or [],
        "configured": [[*what, times] for what, times in sorted(_configured(lane).items())],
        "machine": dict(line.split("=", 1) for line in lane.host.exec(_INSPECT).stdout.splitlines()),
        "boots": recorded.boots,
        "operations on the host": on_the_host(operations, recorded),
        "workflow": workflow_state(lane.workflow(name)),
    }


def gather_after_deletion(lane: Lane) -> dict[str, Any]:
    """What the host tells once its Host is gone: a reboot or a package run may still have come after `gather`."""
    recorded = read_witnessed(lane.host)
    runs = [recorded.runs(operation) for operation in recorded.operations]
    return {
        "boots": recorded.boots,
        "apt runs of operations": sorted(runs, key=str),
        "configured": [[*what, times] for what, times in sorted(_configured(lane).items())],
        "folder": lane.host.exec("ls -d /var/lib/kraut", check=False).stdout.strip() or "gone",
    }


def on_the_host(operations: list[list[str]], recorded: Witnessed) -> list[str]:
    """Type, exit code and runs of apt of each operation (pure): those with a folder, and those that only apt tells of.

    Args:
        operations: id, type and exit code, the last one absent while there is no result.
    """
    told = {id_ for id_, *_ in operations}
    known = [(id_, f"{type_} exit {code[0] if code else 'none'}") for id_, type_, *code in operations]
    found = known + [(id_, "without a folder") for id_ in recorded.operations - told]
    runs = [(said, recorded.runs(id_)) for id_, said in found]
    return sorted(f"{said}: lists {run['lists']} times, packages {run['packages']} times" for said, run in runs)


def _configured(lane: Lane) -> Counter[tuple[str, str]]:
    return Counter((entry.package, entry.version) for entry in lane.host.maintainer_log())


def steady(value: Any) -> Any:
    """The value without what differs between any two runs."""
    if isinstance(value, dict):
        return {key: steady(item) for key, item in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [steady(item) for item in value]
    return value


def workflow_state(described: dict[str, Any]) -> str:
    """``at rest`` when nothing is under way; else what is."""
    pending = [activity["activityType"]["name"] for activity in described.get("pendingActivities") or []]
    if pending:
        return f"busy with {', '.join(pending)}"
    if described.get("pendingWorkflowTask"):
        return "busy deciding"
    status = str((described.get("workflowExecutionInfo") or {}).get("status", "absent"))
    return "at rest" if status.endswith(("_RUNNING", "_COMPLETED")) else status


def differences(golden: Any, found: Any, path: str = "") -> list[str]:
    """Where two states differ, a line each."""
    if isinstance(golden, dict) and isinstance(found, dict):
        keys = sorted(golden.keys() | found.keys())
        return [line for key in keys for line in differences(golden.get(key), found.get(key), f"{path}.{key}")]
    if isinstance(golden, list) and isinstance(found, list) and len(golden) == len(found):
        pairs = enumerate(zip(golden, found, strict=True))
        return [line for number, (a, b) in pairs for line in differences(a, b, f"{path}[{number}]")]
    return [] if golden == found else [f"{path.lstrip('.')}: expected {golden!r}, found {found!r}"]
