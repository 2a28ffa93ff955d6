"""The rule book: every rule as a sentence."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from kraut_core.api.conditions import READY
from kraut_core.api.meta import Condition
from kraut_core.api.v1alpha1.host import ClaimReference, HostStatus
from kraut_core.api.v1alpha1.upgradepolicy import UpgradePolicySpec
from kraut_worker.operations.exit_codes import ExitCode
from kraut_worker.planning.decide import QUICK_LOOKS
from kraut_worker.planning.decision import Decision
from kraut_worker.planning.plan import plan_host
from kraut_worker.planning.scene import Problem, Scene
from kraut_worker.testing.scenes import (
    NOW,
    make_host,
    make_observation,
    make_operation,
    make_scene,
    on_host,
)

UNREACHABLE = Problem("Unreachable", "no answer from 198.18.0.10:22", permanent=False)
REFUSED = Problem("AuthenticationFailed", "the host refused the key", permanent=True)
CHANGED_KEY = Problem("HostKeyMismatch", "the host showed another key", permanent=True)
NO_APT = Problem("UnsupportedOperatingSystem", "this host has no apt-get", permanent=True)
REPOSITORY = Problem("RepositoryUnreachable", "deb.debian.org did not answer", permanent=False)

READY_IN_FIVE_HOURS = Condition(
    type=READY, status="True", reason="Reachable", message="", last_transition_time=NOW + timedelta(hours=5)
)


def ago(**span: float) -> Any:
    return NOW - timedelta(**span)


def after(*operations: Any, **host: Any) -> Any:
    """A host whose status tells of these operations, newest first."""
    known = ("failures", "conditions", "claimed_by", "last_request_time")
    status = {key: host.pop(key) for key in known if key in host}
    return make_host(status=HostStatus(operations=list(operations), **status), **host)


def window(start: str, duration: str = "2h") -> dict[str, Any]:
    return {"windows": [{"start": start, "duration": duration}]}


@dataclass
class Case:
    """``says`` are fields of the decision; ``words`` stand in its message."""

    sentence: str
    scene: Scene
    action: str
    reason: str = ""
    words: str = ""
    says: dict[str, Any] = field(default_factory=dict)
    disrupted: bool = False


def minutes(n: float) -> dict[str, Any]:
    return {"recheck": timedelta(minutes=n)}


def seconds(n: float) -> dict[str, Any]:
    return {"recheck": timedelta(seconds=n)}


STALLED = {"stalled": True, "progressing": False}
WAITS = {"stalled": False, "progressing": True}

CASES = [
    # Nothing to do
    Case("no update is pending -> rests and says nothing", make_scene(make_host(), make_observation()), "Rest"),
    Case(
        "updates pending, updates None -> rests: it was only asked to look",
        make_scene(make_host(updates="None"), make_observation(pending=9, security=3)),
        "Rest",
    ),
    Case(
        "reboot required, updates None -> rests: only observed hosts are never rebooted",
        make_scene(make_host(updates="None", reboot_policy="Always"), make_observation(reboot_required_by=["linux"])),
        "Rest",
    ),
    Case(
        "no security update among nine, updates Security -> rests",
        make_scene(make_host(updates="Security"), make_observation(pending=9)),
        "Rest",
    ),
    Case(
        "reboot required, reboot policy Never -> rests",
        make_scene(make_host(reboot_policy="Never"), make_observation(reboot_required_by=["linux"])),
        "Rest",
    ),
    # Work
    Case(
        "two updates, updates All -> starts the installation",
        make_scene(make_host(), make_observation(pending=2)),
        "Start",
        "UpdatingPackages",
        says={**WAITS, "operation": "UpdatePackages"},
        disrupted=True,
    ),
    Case(
        "one security update, updates Security -> starts the installation",
        make_scene(make_host(updates="Security"), make_observation(pending=9, security=1)),
        "Start",
        says={"operation": "UpdatePackages"},
        disrupted=True,
    ),
    Case(
        "a broken package database and no update, updates Security -> starts the repair",
        make_scene(make_host(updates="Security"), make_observation(broken=True)),
        "Start",
        says={"operation": "UpdatePackages"},
        disrupted=True,
    ),
    Case(
        "reboot required and updates pending -> installs first",
        make_scene(make_host(), make_observation(pending=1, reboot_required_by=["linux"])),
        "Start",
        says={"operation": "UpdatePackages"},
        disrupted=True,
    ),
    Case(
        "reboot required, nothing pending, IfRequired -> reboots",
        make_scene(make_host(), make_observation(reboot_required_by=["linux"])),
        "Start",
        "Rebooting",
        says={"operation": "Reboot"},
        disrupted=True,
    ),
    Case(
        "updates installed in this boot, Always -> reboots although nothing asks for it",
        make_scene(
            after(make_operation("Succeeded", ended=ago(seconds=5)), reboot_policy="Always"), make_observation()
        ),
        "Start",
        says={"operation": "Reboot"},
        disrupted=True,
    ),
    Case(
        "updates installed in an earlier boot, Always -> rests",
        make_scene(
            after(make_operation("Succeeded", ended=ago(seconds=5)), reboot_policy="Always"),
            make_observation(boot="boot-2"),
        ),
        "Rest",
    ),
    Case(
        "updates installed by hand, Always -> rests: only kraut's own installations are followed by a reboot",
        make_scene(make_host(reboot_policy="Always"), make_observation()),
        "Rest",
    ),
    # Nothing in vain
    Case(
        "the installation left two updates five minutes ago -> rests",
        make_scene(
            after(make_operation("Succeeded", ended=ago(minutes=5), message="still pending: 2 updates")),
            make_observation(pending=2),
        ),
        "Rest",
    ),
    Case(
        "the installation left the same two updates 23 hours ago -> still rests",
        make_scene(
            after(make_operation("Succeeded", ended=ago(hours=23), message="still pending: 2 updates")),
            make_observation(pending=2),
        ),
        "Rest",
    ),
    Case(
        "the installation left the same two updates a day ago -> tries again",
        make_scene(
            after(make_operation("Succeeded", ended=ago(days=1), message="still pending: 2 updates")),
            make_observation(pending=2),
        ),
        "Start",
        disrupted=True,
    ),
    Case(
        "a third update came an hour after the installation left two -> installs it",
        make_scene(
            after(make_operation("Succeeded", ended=ago(hours=1), message="still pending: 2 updates")),
            make_observation(pending=3),
        ),
        "Start",
        disrupted=True,
    ),
    Case(
        "an update came two minutes after the installation -> rests for a quarter of an hour",
        make_scene(after(make_operation("Succeeded", ended=ago(minutes=2))), make_observation(pending=1)),
        "Rest",
    ),
    Case(
        "an update came twenty minutes after the installation -> installs it",
        make_scene(after(make_operation("Succeeded", ended=ago(minutes=20))), make_observation(pending=1)),
        "Start",
        disrupted=True,
    ),
    Case(
        "the same update a month after the installation, same generation -> really runs again",
        make_scene(
            after(make_operation("Succeeded", ended=ago(days=30), message="still pending: 1 updates")),
            make_observation(pending=1, boot="boot-7"),
        ),
        "Start",
        says={"operation": "UpdatePackages"},
        disrupted=True,
    ),
    Case(
        "the installation left two updates, a person asks -> tries again at once",
        make_scene(
            after(make_operation("Succeeded", ended=ago(minutes=1), message="still pending: 2 updates")),
            make_observation(pending=2),
            requested=True,
        ),
        "Start",
        disrupted=True,
    ),
    Case(
        "a person asked while the installation ran, which left two updates -> tries again at once",
        make_scene(
            after(
                make_operation("Succeeded", ended=ago(minutes=1), message="still pending: 2 updates"),
                last_request_time=ago(seconds=90),
            ),
            make_observation(pending=2),
        ),
        "Start",
        disrupted=True,
    ),
    Case(
        "a person asked right after the installation and the host waited for its turn since -> starts now that it has it",
        make_scene(
            after(make_operation("Succeeded", ended=ago(minutes=1)), last_request_time=ago(seconds=50)),
            make_observation(pending=1),
        ),
        "Start",
        disrupted=True,
    ),
    Case(
        "the installation that a person asked for left two updates -> rests",
        make_scene(
            after(
                make_operation("Succeeded", ended=ago(minutes=1), message="still pending: 2 updates"),
                last_request_time=ago(minutes=2),
            ),
            make_observation(pending=2),
        ),
        "Rest",
    ),
    Case(
        "a person asked after the reboot in vain, and the host was busy -> reboots again",
        make_scene(
            after(
                make_operation(
                    "Succeeded",
                    type_="Reboot",
                    boot="boot-0",
                    ended=ago(minutes=1),
                    message="the host still asks for a reboot for kernel",
                ),
                last_request_time=ago(seconds=30),
            ),
            make_observation(reboot_required_by=["kernel"]),
        ),
        "Start",
        says={"operation": "Reboot"},
        disrupted=True,
    ),
    Case(
        "the installation left two updates, the spec changed since -> tries again at once",
        make_scene(
            after(make_operation("Succeeded", ended=ago(minutes=1), message="still pending: 2 updates"), generation=2),
            make_observation(pending=2),
        ),
        "Start",
        disrupted=True,
    ),
    Case(
        "the host still asks for a reboot after the reboot -> rests: the next one would not help either",
        make_scene(
            after(
                make_operation(
                    "Succeeded",
                    type_="Reboot",
                    boot="boot-0",
                    ended=ago(days=3),
                    message="the host still asks for a reboot for kernel",
                )
            ),
            make_observation(reboot_required_by=["kernel"]),
        ),
        "Rest",
    ),
    Case(
        "the reboot was in vain, then updates were installed -> reboots again",
        make_scene(
            after(
                make_operation("Succeeded", id_="op-2", ended=ago(hours=1)),
                make_operation(
                    "Succeeded",
                    type_="Reboot",
                    boot="boot-0",
                    ended=ago(days=3),
                    message="the host still asks for a reboot for kernel",
                ),
            ),
            make_observation(reboot_required_by=["kernel"]),
        ),
        "Start",
        says={"operation": "Reboot"},
        disrupted=True,
    ),
    Case(
        "the reboot was in vain, then another installation changed nothing -> rests",
        make_scene(
            after(
                make_operation("Succeeded", id_="op-3", ended=ago(hours=1), message="still pending: 1 updates"),
                make_operation(
                    "Succeeded",
                    id_="op-2",
                    type_="Reboot",
                    boot="boot-0",
                    ended=ago(days=1),
                    message="the host still asks for a reboot for kernel",
                ),
                make_operation("Succeeded", ended=ago(days=2), boot="boot-0", message="still pending: 1 updates"),
            ),
            make_observation(pending=1, reboot_required_by=["kernel"]),
        ),
        "Rest",
    ),
    Case(
        "the reboot helped, a week later a package asks again -> reboots",
        make_scene(
            after(make_operation("Succeeded", type_="Reboot", boot="boot-0", ended=ago(days=7))),
            make_observation(reboot_required_by=["libc6"]),
        ),
        "Start",
        says={"operation": "Reboot"},
        disrupted=True,
    ),
    Case(
        "Always, and the installation changed nothing for the second time -> rests",
        make_scene(
            after(
                make_operation("Succeeded", id_="op-2", ended=ago(minutes=5), message="still pending: 1 updates"),
                make_operation("Succeeded", ended=ago(days=1), boot="boot-0", message="still pending: 1 updates"),
                reboot_policy="Always",
            ),
            make_observation(pending=1),
        ),
        "Rest",
    ),
    # In flight
    Case(
        "an installation runs on the host -> stays with it",
        make_scene(after(make_operation()), make_observation(pending=2, operations=[on_host()])),
        "Stay",
        "UpdatingPackages",
        says=WAITS,
        disrupted=True,
    ),
    Case(
        "an installation runs and the host was paused -> stays: what runs is finished",
        make_scene(after(make_operation(), paused=True), make_observation(operations=[on_host()])),
        "Stay",
        disrupted=True,
    ),
    Case(
        "an installation runs and updates were set to None -> stays",
        make_scene(after(make_operation(), updates="None", generation=2), make_observation(operations=[on_host()])),
        "Stay",
        disrupted=True,
    ),
    Case(
        "an installation runs that no status knows, the Host was re-created -> adopts it",
        make_scene(make_host(), make_observation(pending=2, operations=[on_host(id_="stray")])),
        "Stay",
        "UpdatingPackages",
        disrupted=True,
    ),
    Case(
        "the installation has ended and its activity has not reported yet -> stays: nobody could start the next",
        make_scene(
            after(make_operation()),
            make_observation(reboot_required_by=["linux"], operations=[on_host("Done", exit_code=0)]),
            in_flight="op-1",
        ),
        "Stay",
        "UpdatingPackages",
        disrupted=True,
    ),
    Case(
        "an activity is busy with an operation of a Host that was re-created since -> stays",
        make_scene(make_host(), make_observation(pending=2), in_flight="op-of-the-first"),
        "Stay",
        disrupted=True,
    ),
    Case(
        "this very assessment decided a reboot that happened by itself meanwhile -> looks again under a new id",
        make_scene(after(make_operation(id_="new", type_="Reboot", boot="boot-0")), make_observation(pending=1)),
        "Wait",
        says={**seconds(1), "progressing": True},
    ),
    # Trouble
    Case(
        "no answer -> looks again after 5 s",
        make_scene(make_host(), UNREACHABLE),
        "Wait",
        "Retrying",
        "no answer",
        {**seconds(5), **WAITS, "healing": True},
        disrupted=True,
    ),
    Case(
        "no answer for the fifth time -> looks again after a minute",
        make_scene(make_host(), UNREACHABLE, attempt=4),
        "Wait",
        "Retrying",
        says=seconds(60),
        disrupted=True,
    ),
    Case(
        "no answer for the eleventh time -> rests: the sweeps look again",
        make_scene(make_host(), UNREACHABLE, attempt=QUICK_LOOKS),
        "Rest",
        "Retrying",
        says=WAITS,
    ),
    Case(
        "the host refuses the key -> rests, stalled, until somebody mends it",
        make_scene(make_host(), REFUSED),
        "Rest",
        "AuthenticationFailed",
        "refused the key",
        STALLED,
    ),
    Case(
        "another host key -> rests, stalled",
        make_scene(make_host(), CHANGED_KEY),
        "Rest",
        "HostKeyMismatch",
        says=STALLED,
    ),
    Case(
        "an installation is open and the host does not answer -> unknown, it keeps its place and is asked again",
        make_scene(after(make_operation()), UNREACHABLE),
        "Wait",
        "Retrying",
        disrupted=True,
    ),
    Case(
        "an installation is open and the host shows another key -> stalled, and it keeps its place",
        make_scene(after(make_operation()), CHANGED_KEY),
        "Rest",
        "HostKeyMismatch",
        says=STALLED,
        disrupted=True,
    ),
    # Reboots
    Case(
        "told to reboot a minute ago, no answer -> waits for it, two seconds at a time",
        make_scene(after(make_operation(type_="Reboot", began=ago(minutes=1))), UNREACHABLE),
        "Wait",
        "Rebooting",
        "come back",
        {**seconds(2), **WAITS},
        disrupted=True,
    ),
    Case(
        "told to reboot a minute ago, logins are refused -> waits: pam_nologin refuses them while a host starts",
        make_scene(after(make_operation(type_="Reboot", began=ago(minutes=1))), REFUSED),
        "Wait",
        "Rebooting",
        says=WAITS,
        disrupted=True,
    ),
    Case(
        "told to reboot, another host key -> stalled: no reboot changes a key",
        make_scene(after(make_operation(type_="Reboot", began=ago(minutes=1))), CHANGED_KEY),
        "Rest",
        "HostKeyMismatch",
        says=STALLED,
        disrupted=True,
    ),
    Case(
        "told to reboot 11 minutes ago, no answer -> did not return: unknown, stalled, asked once a minute",
        make_scene(after(make_operation(type_="Reboot", began=ago(minutes=11))), UNREACHABLE),
        "Wait",
        "HostDidNotReturn",
        "look at its console",
        {**seconds(60), "stalled": True, "healing": True},
        disrupted=True,
    ),
    Case(
        "told to reboot 11 minutes ago, logins are refused and it was asked ten times -> rests, stalled",
        make_scene(
            after(make_operation("Unknown", type_="Reboot", began=ago(minutes=11))), REFUSED, attempt=QUICK_LOOKS
        ),
        "Rest",
        "HostDidNotReturn",
        says={"stalled": True},
        disrupted=True,
    ),
    Case(
        "told to reboot 11 minutes ago, the policy gives an hour -> waits",
        make_scene(
            after(make_operation(type_="Reboot", began=ago(minutes=11))),
            UNREACHABLE,
            policy=UpgradePolicySpec(progress_deadline_seconds=3600),
        ),
        "Wait",
        "Rebooting",
        disrupted=True,
    ),
    Case(
        "a host that did not return answers a day later in another boot -> rests: all is well",
        make_scene(
            after(make_operation("Unknown", type_="Reboot", began=ago(days=1), boot="boot-0")), make_observation()
        ),
        "Rest",
    ),
    # Steadiness
    Case(
        "back for 10 s of 60 -> waits the other 50 and keeps its place",
        make_scene(
            after(make_operation("Succeeded", type_="Reboot", boot="boot-0", ended=ago(seconds=10))),
            make_observation(),
            policy=UpgradePolicySpec(min_ready_seconds=60),
        ),
        "Wait",
        "Stabilizing",
        "60 s",
        {**WAITS},
        disrupted=True,
    ),
    Case(
        "back for 60 s of 60 -> rests and gives its place back",
        make_scene(
            after(
                make_operation("Succeeded", type_="Reboot", boot="boot-0", ended=ago(seconds=60)),
                conditions=[
                    Condition(
                        type=READY, status="True", reason="Reachable", message="", last_transition_time=ago(days=1)
                    )
                ],
            ),
            make_observation(),
            policy=UpgradePolicySpec(min_ready_seconds=60),
        ),
        "Rest",
    ),
    Case(
        "rebooted, back, away and back again 5 s ago -> minReadySeconds count from the last time",
        make_scene(
            after(
                make_operation("Succeeded", type_="Reboot", boot="boot-0", ended=ago(seconds=60)),
                conditions=[
                    Condition(
                        type=READY, status="True", reason="Reachable", message="", last_transition_time=ago(seconds=5)
                    )
                ],
            ),
            make_observation(),
            policy=UpgradePolicySpec(min_ready_seconds=60),
        ),
        "Wait",
        "Stabilizing",
        says=seconds(55),
        disrupted=True,
    ),
    Case(
        "updates installed and a reboot is due -> reboots at once, steadiness is for the end",
        make_scene(
            after(make_operation("Succeeded", ended=ago(seconds=1))),
            make_observation(reboot_required_by=["linux"]),
            policy=UpgradePolicySpec(min_ready_seconds=600),
        ),
        "Start",
        says={"operation": "Reboot"},
        disrupted=True,
    ),
    # The first login is not the end of a reboot
    *(
        Case(
            f"systemd starts the host after its reboot, {text} -> looks again and keeps its place",
            make_scene(
                after(make_operation("Succeeded", type_="Reboot", boot="boot-0", began=ago(seconds=30)), **host),
                make_observation(starting=True, **seen),
            ),
            "Wait",
            "Stabilizing",
            "systemd",
            {**WAITS, **seconds(2)},
            disrupted=True,
        )
        for text, host, seen in (
            ("minReadySeconds 0", {}, {}),
            ("more updates are pending", {}, {"pending": 2}),
            ("paused meanwhile", {"paused": True}, {}),
            ("updates None by now", {"updates": "None"}, {}),
        )
    ),
    Case(
        "systemd still starts the host progressDeadlineSeconds after its reboot was decided -> rests, gives its place back",
        make_scene(
            after(
                make_operation("Succeeded", type_="Reboot", boot="boot-0", began=ago(seconds=601), ended=ago(minutes=9))
            ),
            make_observation(starting=True),
        ),
        "Rest",
    ),
    Case(
        "systemd starts a host that kraut did not reboot, updates pending -> installs them",
        make_scene(make_host(), make_observation(starting=True, pending=1)),
        "Start",
        says={"operation": "UpdatePackages"},
        disrupted=True,
    ),
    Case(
        "/var/lib is read-only and updates are pending -> stalled, looks again, starts nothing",
        make_scene(make_host(), make_observation(read_only=True, pending=2)),
        "Wait",
        "ReadOnlyFileSystem",
        "kernel log",
        {"stalled": True, "progressing": False, "healing": True},
    ),
    # A reboot in the middle of dpkg may leave a host that does not boot
    *(
        Case(
            f"updates installed {text} ago, the package database is broken and a reboot is due -> rests, does not reboot",
            make_scene(
                after(make_operation("Succeeded", ended=ago(**span), message=left)),
                make_observation(broken=True, reboot_required_by=["linux-image-amd64"]),
            ),
            "Rest",
        )
        for text, span, left in (
            ("2 min", {"minutes": 2}, ""),
            ("20 h", {"hours": 20}, "the package database still needs repair"),
        )
    ),
    Case(
        "the package database is broken, rebootPolicy Always -> does not reboot",
        make_scene(
            after(make_operation("Succeeded", ended=ago(minutes=2)), reboot_policy="Always"),
            make_observation(broken=True),
        ),
        "Rest",
    ),
    Case(
        "packages cannot be read and a reboot is due -> asks again, does not reboot",
        make_scene(
            make_host(),
            make_observation(
                packages_known=False, package_problem=REPOSITORY, reboot_required_by=["linux-image-amd64"]
            ),
        ),
        "Wait",
        "RepositoryUnreachable",
        says=WAITS,
    ),
    # A clock that was set back
    Case(
        "installed 5 h in the future -> rests and gives its place back",
        make_scene(after(make_operation("Succeeded", began=ago(hours=-4), ended=ago(hours=-5))), make_observation()),
        "Rest",
    ),
    Case(
        "rebooted 5 h in the future, minReadySeconds 60 -> waits for 60 s of now and keeps its place",
        make_scene(
            after(
                make_operation("Succeeded", type_="Reboot", boot="boot-0", ended=ago(hours=-5)),
                conditions=[READY_IN_FIVE_HOURS],
            ),
            make_observation(),
            policy=UpgradePolicySpec(min_ready_seconds=60),
        ),
        "Wait",
        "Stabilizing",
        says=seconds(60),
        disrupted=True,
    ),
    Case(
        "rebooted 60 s ago and Ready since 5 h in the future -> rests and gives its place back",
        make_scene(
            after(
                make_operation("Succeeded", type_="Reboot", boot="boot-0", ended=ago(seconds=60)),
                conditions=[READY_IN_FIVE_HOURS],
            ),
            make_observation(),
            policy=UpgradePolicySpec(min_ready_seconds=60),
        ),
        "Rest",
    ),
    Case(
        "failed 5 h in the future -> waits for 10 s of now",
        make_scene(after(make_operation("Failed", ended=ago(hours=-5)), failures=1), make_observation(pending=1)),
        "Wait",
        "BackingOff",
        says=seconds(10),
        disrupted=True,
    ),
    # What forbids
    Case(
        "paused and updates pending -> rests and says so",
        make_scene(make_host(paused=True), make_observation(pending=2)),
        "Rest",
        "Paused",
        "spec.paused",
        {"stalled": False, "progressing": False},
    ),
    Case(
        "claimed by a Cluster -> rests and names it",
        make_scene(after(claimed_by=ClaimReference(name="east")), make_observation(pending=2)),
        "Rest",
        "ClaimedByCluster",
        "Cluster east",
    ),
    Case(
        "a kubelet runs here, updates All -> stalled before anything is pending",
        make_scene(make_host(), make_observation(cluster_node="kubelet.service")),
        "Rest",
        "HostIsClusterNode",
        "kubelet.service",
        STALLED,
    ),
    Case(
        "a kubelet runs here, updates None -> rests: it may be looked at",
        make_scene(make_host(updates="None"), make_observation(pending=2, cluster_node="kubelet.service")),
        "Rest",
    ),
    Case(
        "no apt, updates All -> stalled, unsupported",
        make_scene(make_host(), make_observation(packages_known=False, package_problem=NO_APT)),
        "Rest",
        "UnsupportedOperatingSystem",
        "apt-get",
        STALLED,
    ),
    Case(
        "no apt, updates None -> rests: it may be looked at",
        make_scene(make_host(updates="None"), make_observation(packages_known=False, package_problem=NO_APT)),
        "Rest",
    ),
    Case(
        "apt does not answer -> looks again after a minute",
        make_scene(make_host(), make_observation(packages_known=False, package_problem=REPOSITORY)),
        "Wait",
        "RepositoryUnreachable",
        says={**minutes(1), **WAITS, "healing": True},
    ),
    Case(
        "apt does not answer for the eleventh time -> rests: the sweeps look again",
        make_scene(
            make_host(), make_observation(packages_known=False, package_problem=REPOSITORY), attempt=QUICK_LOOKS
        ),
        "Rest",
        "RepositoryUnreachable",
    ),
    Case(
        "a repository is down and older lists know of two updates -> installs them",
        make_scene(make_host(), make_observation(pending=2, package_problem=REPOSITORY)),
        "Start",
        disrupted=True,
    ),
    Case(
        "updates pending and the UpgradePolicy does not exist -> stalled, names it",
        make_scene(make_host(upgrade_policy_ref={"name": "gentle"}), make_observation(pending=2), policy_missing=True),
        "Rest",
        "UpgradePolicyNotFound",
        "gentle",
        STALLED,
    ),
    Case(
        "updates pending and the UpgradePolicy cannot be read -> stalled, says why",
        make_scene(
            make_host(upgrade_policy_ref={"name": "gentle"}),
            make_observation(pending=2),
            policy_problem=Problem("UpgradePolicyForbidden", "kraut-worker may not read UpgradePolicy gentle", True),
        ),
        "Rest",
        "UpgradePolicyForbidden",
        "may not read UpgradePolicy gentle",
        STALLED,
    ),
    Case(
        "installing updates when the UpgradePolicy cannot be read any more -> goes on",
        make_scene(
            after(make_operation(), upgrade_policy_ref={"name": "gentle"}),
            make_observation(pending=2, operations=[on_host()]),
            policy_problem=Problem("UpgradePolicyInvalid", "it does not fit this version of kraut", True),
        ),
        "Stay",
        "UpdatingPackages",
        disrupted=True,
    ),
    Case(
        "the UpgradePolicy does not exist and nothing is pending -> rests",
        make_scene(make_host(upgrade_policy_ref={"name": "gentle"}), make_observation(), policy_missing=True),
        "Rest",
    ),
    # Failures
    Case(
        "failed once 3 s ago -> tries again in 7 s, keeping its place: it may be half done",
        make_scene(after(make_operation("Failed", ended=ago(seconds=3)), failures=1), make_observation(pending=2)),
        "Wait",
        "BackingOff",
        "next try in 7 s",
        {**seconds(7), **WAITS},
        disrupted=True,
    ),
    Case(
        "the lock was held once -> tries again in 7 s and lets others go first: nothing was changed",
        make_scene(
            after(make_operation("Failed", exit_code=ExitCode.LOCK_TIMEOUT, ended=ago(seconds=3)), failures=0),
            make_observation(pending=2),
        ),
        "Wait",
        "BackingOff",
        says=seconds(7),
    ),
    Case(
        "the disk was full before anything was changed -> tries again in 7 s and lets others go first",
        make_scene(
            after(make_operation("Failed", exit_code=ExitCode.NO_ROOM, ended=ago(seconds=3)), failures=1),
            make_observation(pending=2),
        ),
        "Wait",
        "BackingOff",
        says=seconds(7),
    ),
    Case(
        "the disk was full in mid work, and is now before it -> tries again in 7 s and keeps its place: it is half done",
        make_scene(
            after(
                make_operation("Failed", id_="op-2", exit_code=ExitCode.NO_ROOM, ended=ago(seconds=13)),
                make_operation("Failed", exit_code=ExitCode.NO_SPACE, ended=ago(seconds=30)),
                failures=2,
            ),
            make_observation(pending=2, broken=True),
        ),
        "Wait",
        "BackingOff",
        says=seconds(7),
        disrupted=True,
    ),
    Case(
        "a package failed, it was mended, and now the repository is down -> lets others go first",
        make_scene(
            after(
                make_operation("Failed", id_="op-2", exit_code=ExitCode.REPOSITORY_UNREACHABLE, ended=ago(seconds=13)),
                make_operation("Failed", exit_code=ExitCode.PACKAGE_FAILED, ended=ago(seconds=30)),
                failures=1,
            ),
            make_observation(pending=2),
        ),
        "Wait",
        "BackingOff",
        says=seconds(7),
    ),
    Case(
        "the host refused to start it -> tries again in 7 s and lets others go first",
        make_scene(
            after(make_operation("Lost", ended=ago(seconds=3), message="it never started on the host"), failures=1),
            make_observation(pending=2),
        ),
        "Wait",
        "BackingOff",
        says=seconds(7),
    ),
    Case(
        "failed once 10 s ago -> tries again",
        make_scene(after(make_operation("Failed", ended=ago(seconds=10)), failures=1), make_observation(pending=2)),
        "Start",
        disrupted=True,
    ),
    Case(
        "failed six times of six -> still tries, after 320 s",
        make_scene(after(make_operation("Failed", ended=ago(seconds=20)), failures=6), make_observation(pending=2)),
        "Wait",
        "BackingOff",
        says=seconds(300),
        disrupted=True,
    ),
    Case(
        "failed seven times of six -> stalled, says why and how to go on",
        make_scene(
            after(make_operation("Failed", ended=ago(days=1), message="the disk is full"), failures=7),
            make_observation(pending=2),
        ),
        "Rest",
        "BackoffLimitExceeded",
        "the disk is full",
        STALLED,
        disrupted=True,
    ),
    Case(
        "the repository was down twenty times -> goes on trying: time heals it",
        make_scene(
            after(
                make_operation("Failed", exit_code=ExitCode.REPOSITORY_UNREACHABLE, ended=ago(minutes=7)), failures=20
            ),
            make_observation(pending=2),
        ),
        "Start",
        disrupted=True,
    ),
    Case(
        "failed seven times and a person asks -> tries again at once",
        make_scene(
            after(make_operation("Failed", ended=ago(seconds=1)), failures=7),
            make_observation(pending=2),
            requested=True,
        ),
        "Start",
        disrupted=True,
    ),
    Case(
        "failed seven times and the spec changed -> tries again at once",
        make_scene(
            after(make_operation("Failed", ended=ago(seconds=1)), failures=7, generation=2),
            make_observation(pending=2),
        ),
        "Start",
        disrupted=True,
    ),
    Case(
        "failed seven times and somebody installed the updates by hand -> rests, no longer stalled",
        make_scene(after(make_operation("Failed", ended=ago(days=1)), failures=7), make_observation()),
        "Rest",
    ),
    # Windows
    Case(
        "two security updates, updates All, window closed for 3 hours -> rests, says when it opens",
        make_scene(make_host(maintenance=window("0 15 * * *")), make_observation(pending=2, security=2)),
        "Rest",
        "WaitingForMaintenanceWindow",
        "2026-03-02T15:00:00Z",
        {"stalled": False, "progressing": False},
    ),
    Case(
        "window closed for 20 minutes -> waits for it",
        make_scene(make_host(maintenance=window("20 12 * * *")), make_observation(pending=2)),
        "Wait",
        "WaitingForMaintenanceWindow",
        says=minutes(20),
    ),
    Case(
        "window open -> starts",
        make_scene(make_host(maintenance=window("0 11 * * *")), make_observation(pending=2)),
        "Start",
        disrupted=True,
    ),
    Case(
        "window closed and nothing to do -> rests and says nothing of windows",
        make_scene(make_host(maintenance=window("0 15 * * *")), make_observation()),
        "Rest",
    ),
    Case(
        "window closed and a person asks -> still waits: a request is no exception from the window",
        make_scene(make_host(maintenance=window("0 15 * * *")), make_observation(pending=2), requested=True),
        "Rest",
        "WaitingForMaintenanceWindow",
    ),
    Case(
        "a change freeze for two years -> rests, no window within a year",
        make_scene(
            make_host(maintenance={"exclusions": [{"start": "2026-01-01T00:00:00Z", "end": "2028-01-01T00:00:00Z"}]}),
            make_observation(pending=2),
        ),
        "Rest",
        "WaitingForMaintenanceWindow",
        "within a year",
    ),
    Case(
        "half done and the window has closed -> waits for the next, keeping its place",
        make_scene(
            after(make_operation("Failed", ended=ago(minutes=30)), failures=1, maintenance=window("0 15 * * *")),
            make_observation(pending=2),
        ),
        "Rest",
        "WaitingForMaintenanceWindow",
        disrupted=True,
    ),
    Case(
        "updates installed, the window closed before the reboot -> waits for the next and gives its place back",
        make_scene(
            after(make_operation("Succeeded", ended=ago(minutes=1)), maintenance=window("0 15 * * *")),
            make_observation(reboot_required_by=["linux"]),
        ),
        "Rest",
        "WaitingForMaintenanceWindow",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sentence)
def test_decision(case):
    plan = plan_host(case.scene)
    decision = plan.decision
    assert (decision.action, decision.reason if case.reason else "") == (case.action, case.reason), decision
    assert case.words in decision.message
    assert {name: getattr(decision, name) for name in case.says} == case.says
    assert plan.disrupted == case.disrupted


@pytest.mark.parametrize("case", [case for case in CASES if case.action == "Rest"], ids=lambda case: case.sentence)
def test_who_rests_either_says_why_or_has_nothing_to_say(case):
    decision = plan_host(case.scene).decision
    assert bool(decision.reason) == bool(decision.message)
    if not case.reason:
        assert decision == Decision("Rest")


def test_sentences_differ():
    assert len({case.sentence for case in CASES}) == len(CASES)
