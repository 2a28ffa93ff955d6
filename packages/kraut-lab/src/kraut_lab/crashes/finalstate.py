"""What is left when all is done: gathered from the host's console, the API server and Temporal, and compared (pure)."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from kraut_lab.crashes.lane import Lane

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
echo boots=$(wc -l </var/log/kraut-lab-boots)
echo installed=$(dpkg-query -W -f '${Package}=${Version}:${db:Status-Status} ' 'kraut-sweep-*')
echo broken=$(dpkg --audit | wc -l)
echo reboot_required=$(ls /run/reboot-required 2>/dev/null | wc -l)
echo units=$(systemctl list-units --no-legend --plain --all 'kraut-*.service' | wc -l)
for lock in lock start.lock; do
  if flock -n /var/lib/kraut/$lock true; then echo $lock=free; else echo $lock=held; fi
done
for folder in /var/lib/kraut/ops/*; do
  echo "operation=$(sed -n 's/^type=//p' $folder/spec) claims=$(ls -d $folder/claim | wc -l) $(grep exitCode $folder/result)"
done
"""


def gather(lane: Lane, name: str) -> dict[str, Any]:
    """The final state of a run, as far as it must be the same in every run."""
    host = lane.read(name) or {}
    status = host.get("status") or {}
    operations = status.get("operations") or []
    folders = lane.host.exec("ls /var/lib/kraut/ops").stdout.split()
    return {
        "status": steady(status),
        "generation": host["metadata"]["generation"],
        "finalizers": host["metadata"].get("finalizers"),
        "status names the running boot": (status.get("hostInfo") or {}).get("bootID") == lane.host.boot_id,
        "operations in status are those on the host": {o["id"] for o in operations} == set(folders),
        "reservations": (lane.policy().get("status") or {}).get("reservations") or [],
        "configured": sorted(Counter((e.package, e.version) for e in lane.host.maintainer_log()).items()),
        "machine": sorted(lane.host.exec(_INSPECT).stdout.splitlines()),
        "workflow": workflow_state(lane.workflow(name)),
    }


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
