"""An update that stands still in its middle for as long as a fault needs, and what its host tells of it."""

from __future__ import annotations

from typing import Any, Final

from kraut_lab.apt import DebPackage, postinst_waits_for
from kraut_lab.faults.recordings import Operation
from kraut_lab.hosts import LabHost
from kraut_lab.hosts.witness import Witnessed, read_witnessed
from kraut_lab.lab import Lab
from kraut_lab.waiting import wait_until

PATIENCE_SECONDS: Final = 300.0

_GO_ON: Final = "/run/kraut-lab-go-on"

_TIMES: Final = """
cd /var/lib/kraut/ops 2>/dev/null || exit 0
for id in *; do
  [ -e $id/claim ] || continue
  echo $id $(stat -c %.Y $id/claim) $(stat -c %.Y $id/result 2>/dev/null || echo 0)
done
"""


class HeldUpdate:
    """A pending update of one package from 1.0 to 1.1, whose postinst waits for `let_go_on`."""

    def __init__(self, lab: Lab, machine: LabHost, name: str, **fields: Any) -> None:
        """Args: fields: of version 1.1, a `DebPackage`."""
        self.machine = machine
        self.name = name
        self._lab = lab
        machine.exec(f"touch {_GO_ON}")
        lab.apt_repository.publish(DebPackage(name, "1.0"))
        machine.exec(f"apt-get update -qq && apt-get install -yqq --allow-downgrades {name}=1.0 >/dev/null")
        machine.exec(f"rm -f {_GO_ON} /run/reboot-required*; : >/var/log/kraut-lab-maintainer.log")
        lab.apt_repository.publish(DebPackage(name, "1.1", postinst=postinst_waits_for(_GO_ON), **fields))

    def wait_configuring(self) -> None:
        """Until the postinst runs and waits."""
        # The brackets keep the pattern from matching the shell that runs it.
        probe = f"pgrep -f '[{self.name[0]}]{self.name[1:]}.postinst configure'"
        self._wait(lambda: self.machine.exec(probe, check=False).returncode == 0, f"{self.name} to be configured")

    def let_go_on(self) -> None:
        """From now on the postinst waits no more."""
        self.machine.exec(f"touch {_GO_ON}")

    def wait_result(self) -> None:
        """Until an operation's unit has written its result on the host."""
        self._wait(lambda: any(operation.ended for operation in self.operations()), "an operation to end")

    def wait_attempts(self, workflow_id: str, activity: str, count: int) -> None:
        """Until Temporal has begun the pending activity of this type so many times."""

        def begun() -> bool:
            pending = self._lab.temporal.describe_workflow(workflow_id).get("pendingActivities") or []
            attempts = [int(p.get("attempt", 1)) for p in pending if p["activityType"]["name"] == activity]
            return any(attempt >= count for attempt in attempts)

        self._wait(begun, f"{activity} to be tried {count} times")

    def effects(self) -> list[tuple[str, str]]:
        """(package, version) for each time that a maintainer script ran."""
        return [(entry.package, entry.version) for entry in self.machine.maintainer_log()]

    def folders(self) -> list[str]:
        """Ids of all operations that the host knows, whether they did anything or not."""
        return sorted(self.machine.exec("ls /var/lib/kraut/ops 2>/dev/null || true").stdout.split())

    def operations(self) -> list[Operation]:
        """What the folders of operations on the host tell; those that were never claimed did nothing."""
        lines = self.machine.exec(_TIMES).stdout.splitlines()
        return [Operation(id_, float(began), float(ended)) for id_, began, ended in map(str.split, lines)]

    def witnessed(self) -> Witnessed:
        """Boots and runs of apt since the host was prepared."""
        return read_witnessed(self.machine)

    def _wait(self, probe: Any, what: str) -> None:
        wait_until(probe, what, timeout=PATIENCE_SECONDS)
