"""What the final state of a run must be, written down from what kraut promises and not from what it once did (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kraut_lab.crashes.finalstate import differences
from kraut_lab.crashes.packages import NEW, PACKAGES

_CONFIGURED: Final = [[name, NEW, 1] for name in sorted(PACKAGES)]

_RIGHT: Final[Mapping[str, Any]] = {
    "status names the running boot": True,
    "operations in status are those on the host": True,
    "reservations": [],
    "configured": _CONFIGURED,
    "machine": {
        **dict.fromkeys(PACKAGES, f"{NEW} installed"),
        "broken": "0",
        "rebootRequired": "0",
        "units": "0",
        "lock": "free",
        "start.lock": "free",
    },
    "boots": 1,
    "operations on the host": [
        "Reboot exit 0: lists 0 times, packages 0 times",
        "UpdatePackages exit 0: lists 1 times, packages 1 times",
    ],
    "workflow": "at rest",
    "after deletion": {
        "boots": 1,
        "apt runs of operations": [{"lists": 1, "packages": 1}],
        "configured": _CONFIGURED,
        "folder": "gone",
    },
}

_CONDITIONS: Final = {"Ready": "True", "UpToDate": "True", "Reconciling": "absent", "Stalled": "absent"}


def mistakes(state: Mapping[str, Any]) -> list[str]:
    """What is wrong about the final state of "discover, update, reboot, delete": what was expected and found, a line each.

    Right is: one more boot, one UpdatePackages and one Reboot, each package configured once by one run of apt, no
    place in the budget kept, the Host Ready and up to date, its last generation answered, nothing left after deletion.
    """
    status = state["status"]
    said = {condition["type"]: condition["status"] for condition in status.get("conditions", [])}
    operations = sorted(f"{operation['type']} {operation['result']}" for operation in status.get("operations", []))
    found = {
        **{key: state[key] for key in _RIGHT},
        "conditions": {type_: said.get(type_, "absent") for type_ in _CONDITIONS},
        "operations in status": operations,
        "observedGeneration": status.get("observedGeneration"),
    }
    right = {
        **_RIGHT,
        "conditions": _CONDITIONS,
        "operations in status": ["Reboot Succeeded", "UpdatePackages Succeeded"],
        "observedGeneration": state["generation"],
    }
    return differences(right, found)
