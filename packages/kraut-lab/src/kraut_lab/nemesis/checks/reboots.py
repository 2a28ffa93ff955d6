"""U14: no machine is rebooted without need, under whatever operation id."""

from __future__ import annotations

from collections import defaultdict

from kraut_lab.nemesis.checks.violation import Violation
from kraut_lab.nemesis.history import History
from kraut_lab.nemesis.packages import REBOOTING


def check_reboots(history: History) -> list[Violation]:
    """For every boot of every machine: at most one operation rebooted it, and a package had asked for that in this boot.

    /run/reboot-required, by which packages ask, does not outlive a boot: a reboot in a boot without such a package repeats one.
    """
    reboots: defaultdict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for event in history.of("reboot"):
        if event["operation"]:
            reboots[event["host"], event["boot"]].setdefault(event["operation"], event["t"])
    found = []
    for (host, boot), operations in reboots.items():
        if len(operations) > 1:
            found.append(Violation("U14", f"{host}: boot {boot} was ended by several operations: {sorted(operations)}"))
        asked = [e["t"] for e in history.of("effect", host=host, boot=boot, package=REBOOTING)]
        needless = [operation for operation, at in operations.items() if not any(t < at for t in asked)]
        found += [
            Violation(
                "U14", f"{host}: operation {operation} rebooted it in boot {boot}, in which no package asked for that"
            )
            for operation in needless
        ]
    return found
