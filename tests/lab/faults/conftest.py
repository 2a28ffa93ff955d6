"""An update that a test holds in its middle, kraut's processes under other circumstances, and what must be true at the end."""

import contextlib
import signal

import pytest

from kraut_lab.apt import DebPackage, postinst_waits_for
from kraut_lab.faults import recordings
from kraut_lab.lab import in_parallel
from kraut_lab.waiting import wait_until

GO_ON = "/run/kraut-lab-go-on"

TIMES = """
cd /var/lib/kraut/ops 2>/dev/null || exit 0
for id in *; do
  [ -e $id/claim ] || continue
  echo $id $(stat -c %.Y $id/claim) $(stat -c %.Y $id/result 2>/dev/null || echo 0)
done
"""


class HeldUpdate:
    """A pending update of one package on a machine, whose postinst waits until the test lets it go on."""

    def __init__(self, lab, machine, name, **fields):
        self.machine = machine
        self.name = name
        machine.exec(f"touch {GO_ON}")
        lab.apt_repository.publish(DebPackage(name, "1.0"))
        machine.exec(f"apt-get update -qq && apt-get install -yqq --allow-downgrades {name}=1.0 >/dev/null")
        machine.exec(f"rm -f {GO_ON} /run/reboot-required*; : >/var/log/kraut-lab-maintainer.log")
        lab.apt_repository.publish(DebPackage(name, "1.1", postinst=postinst_waits_for(GO_ON), **fields))

    def wait_configuring(self):
        """Until the postinst runs and waits."""
        # The brackets keep the pattern from matching the shell that runs it.
        probe = f"pgrep -f '[{self.name[0]}]{self.name[1:]}.postinst configure'"
        wait_until(
            lambda: self.machine.exec(probe, check=False).returncode == 0, f"{self.name} to be configured", timeout=300
        )

    def let_go_on(self):
        self.machine.exec(f"touch {GO_ON}")

    def wait_result(self):
        """Until the operation's unit has written its result on the host."""
        wait_until(lambda: any(operation.ended for operation in self.operations()), "an operation to end", timeout=300)

    def wait_attempts(self, lab, desk, handle, activity, count):
        """Until Temporal has begun the pending activity of this type so many times."""

        def begun():
            home = desk.api.request("GET", "/api/v1/namespaces/kube-system")[1]["metadata"]["uid"]
            described = lab.temporal.describe_workflow(f"{home}/Host/{desk.namespace}/{handle.name}")
            pending = described.get("pendingActivities") or []
            return any(
                found["activityType"]["name"] == activity and int(found.get("attempt", 1)) >= count for found in pending
            )

        wait_until(begun, f"{activity} to be tried {count} times", timeout=300)

    def effects(self):
        """(package, version) for each time that a maintainer script ran."""
        return [(entry.package, entry.version) for entry in self.machine.maintainer_log()]

    def operations(self):
        """What the folders of operations on the host tell; those that were never claimed did nothing."""
        lines = self.machine.exec(TIMES).stdout.splitlines()
        return [recordings.Operation(id_, float(began), float(ended)) for id_, began, ended in map(str.split, lines)]


@pytest.fixture
def held_update(desk, lab, machine):
    """``held_update(**fields of the package)``: a pending update of the machine; all are let go on at the end."""
    made = []

    def give(name="kraut-t-held", **fields):
        made.append(HeldUpdate(lab, machine, name, **fields))
        return made[-1]

    yield give
    machine.network.heal()
    machine.power_on()
    for update in made:
        update.let_go_on()


@pytest.fixture
def assert_kept(recording):
    """``assert_kept(handle, update, ...)``: what must be true once everything is healed, read from recordings alone."""

    def check(handle, update, *, done=(("UpdatePackages", "Succeeded"),)):
        host = handle.get()
        claims = update.operations()
        assert recordings.not_last(host) == []  # I2
        assert recordings.going_back(recording.events, foreign=recording.foreign) == []  # I9
        assert recordings.deleted_twice(recording.events) == []  # I11
        assert recordings.repeated(update.effects()) == []  # I3
        assert recordings.overlapping(claims) == []  # I4
        assert update.effects() == [(update.name, "1.1")]
        assert [(o["type"], o["result"]) for o in host["status"]["operations"]] == list(done)
        assert sorted(operation.id for operation in claims) == sorted(o["id"] for o in host["status"]["operations"])
        return host

    return check


@pytest.fixture(scope="session")
def others_instead(kraut):
    """``with others_instead(lab.component("worker", instance="x"), env={...}):`` they run in place of the shared ones."""

    @contextlib.contextmanager
    def others(*components, env):
        shared = [kraut.component(component.name) for component in components]
        in_parallel([component.stop for component in shared])
        try:
            in_parallel([lambda each=each: each.start(restart=True, env=env[each.name]) for each in components])
            yield components
        finally:
            for component in components:
                component.send(signal.SIGCONT)
            in_parallel([component.stop for component in components])
            in_parallel([lambda each=each: each.start(restart=True) for each in shared])

    return others
