"""What a status says: conditions a person can read, facts that are as old as they say."""

from datetime import timedelta

import pytest

from kraut_core.api.conditions import RECONCILING, STALLED, find
from kraut_core.api.conformance import assert_conformance
from kraut_core.api.meta import REQUESTED_AT, ObservedReference
from kraut_core.api.v1alpha1.host import UP_TO_DATE, ClaimReference, HostInfo, HostStatus
from kraut_core.errors import HostKeyMismatchError, UnreachableError
from kraut_worker.planning.budget import Denied
from kraut_worker.planning.plan import plan_host, postpone, start
from kraut_worker.planning.scene import Problem
from kraut_worker.planning.status import discovering_status, host_status
from kraut_worker.testing.scenes import KEY, NOW, make_host, make_observation, make_operation, make_scene, on_host

UNREACHABLE = Problem.of(UnreachableError("no answer from 198.18.0.10:22"))
CHANGED_KEY = Problem.of(HostKeyMismatchError("expected the pinned key, found another"))
REPOSITORY = Problem("RepositoryUnreachable", "deb.debian.org did not answer", permanent=False)
CLOSED = {"windows": [{"start": "0 22 * * *", "duration": "2h"}]}


def written(scene):
    """The status of the scene, checked as every status that is written."""
    status = host_status(plan_host(scene), [])
    assert_conformance(scene.host.model_copy(update={"status": status}), scene.host)
    return status


def said(status, type_):
    condition = find(status.conditions, type_)
    return (condition.status, condition.reason) if condition else None


CASES = [
    (
        "nothing pending -> Ready, UpToDate, neither Reconciling nor Stalled",
        make_scene(make_host(), make_observation()),
        {"Ready": ("True", "Reachable"), UP_TO_DATE: ("True", "NoUpdatesPending")},
    ),
    (
        "two updates, only reported -> Ready, not UpToDate",
        make_scene(make_host(updates="None"), make_observation(pending=2)),
        {"Ready": ("True", "Reachable"), UP_TO_DATE: ("False", "UpdatesPending")},
    ),
    (
        "two updates, none of them for security, updates Security -> UpToDate",
        make_scene(make_host(updates="Security"), make_observation(pending=2)),
        {"Ready": ("True", "Reachable"), UP_TO_DATE: ("True", "NoUpdatesPending")},
    ),
    (
        "a reboot is due and never done -> not UpToDate",
        make_scene(make_host(reboot_policy="Never"), make_observation(reboot_required_by=["linux"])),
        {"Ready": ("True", "Reachable"), UP_TO_DATE: ("False", "RebootRequired")},
    ),
    (
        "dpkg was interrupted, only reported -> not UpToDate",
        make_scene(make_host(updates="None"), make_observation(broken=True)),
        {"Ready": ("True", "Reachable"), UP_TO_DATE: ("False", "PackageDatabaseBroken")},
    ),
    (
        "no answer -> Ready unknown, Reconciling: it is asked again",
        make_scene(make_host(), UNREACHABLE),
        {
            "Ready": ("Unknown", "Unreachable"),
            UP_TO_DATE: ("Unknown", "NotObserved"),
            RECONCILING: ("True", "Retrying"),
        },
    ),
    (
        "another host key -> not Ready, Stalled",
        make_scene(make_host(), CHANGED_KEY),
        {
            "Ready": ("False", "HostKeyMismatch"),
            UP_TO_DATE: ("Unknown", "NotObserved"),
            STALLED: ("True", "HostKeyMismatch"),
        },
    ),
    (
        "it reboots -> Ready unknown, Rebooting",
        make_scene(make_host(status=HostStatus(operations=[make_operation(type_="Reboot")])), UNREACHABLE),
        {
            "Ready": ("Unknown", "Rebooting"),
            UP_TO_DATE: ("Unknown", "NotObserved"),
            RECONCILING: ("True", "Rebooting"),
        },
    ),
    (
        "it did not return -> Ready unknown, Stalled",
        make_scene(
            make_host(
                status=HostStatus(operations=[make_operation(type_="Reboot", began=NOW - timedelta(minutes=11))])
            ),
            UNREACHABLE,
        ),
        {
            "Ready": ("Unknown", "HostDidNotReturn"),
            UP_TO_DATE: ("Unknown", "NotObserved"),
            STALLED: ("True", "HostDidNotReturn"),
        },
    ),
    (
        "the window is closed -> not UpToDate, because of the window; not Reconciling",
        make_scene(make_host(maintenance=CLOSED), make_observation(pending=2)),
        {"Ready": ("True", "Reachable"), UP_TO_DATE: ("False", "WaitingForMaintenanceWindow")},
    ),
    (
        "paused -> not UpToDate, because it is paused",
        make_scene(make_host(paused=True), make_observation(pending=2)),
        {"Ready": ("True", "Reachable"), UP_TO_DATE: ("False", "Paused")},
    ),
    (
        "claimed -> not UpToDate, because only its Cluster changes it",
        make_scene(make_host(status=HostStatus(claimed_by=ClaimReference(name="east"))), make_observation(pending=2)),
        {"Ready": ("True", "Reachable"), UP_TO_DATE: ("False", "ClaimedByCluster")},
    ),
    (
        "a cluster node -> Ready and Stalled",
        make_scene(make_host(), make_observation(pending=2, cluster_node="kubelet.service")),
        {
            "Ready": ("True", "Reachable"),
            UP_TO_DATE: ("False", "UpdatesPending"),
            STALLED: ("True", "HostIsClusterNode"),
        },
    ),
    (
        "a repository is down and older lists know of nothing -> UpToDate unknown",
        make_scene(make_host(), make_observation(package_problem=REPOSITORY)),
        {"Ready": ("True", "Reachable"), UP_TO_DATE: ("Unknown", "RepositoryUnreachable")},
    ),
    (
        "apt does not answer -> UpToDate unknown, Reconciling",
        make_scene(make_host(), make_observation(packages_known=False, package_problem=REPOSITORY)),
        {
            "Ready": ("True", "Reachable"),
            UP_TO_DATE: ("Unknown", "RepositoryUnreachable"),
            RECONCILING: ("True", "RepositoryUnreachable"),
        },
    ),
    (
        "answers after its reboot while systemd starts it -> not Ready yet, Reconciling",
        make_scene(
            make_host(status=HostStatus(operations=[make_operation("Succeeded", type_="Reboot", boot="boot-0")])),
            make_observation(starting=True),
        ),
        {
            "Ready": ("Unknown", "Rebooting"),
            UP_TO_DATE: ("True", "NoUpdatesPending"),
            RECONCILING: ("True", "Stabilizing"),
        },
    ),
    (
        "systemd starts units for ever at a host that kraut did not reboot -> Ready",
        make_scene(make_host(), make_observation(starting=True)),
        {"Ready": ("True", "Reachable"), UP_TO_DATE: ("True", "NoUpdatesPending")},
    ),
    (
        "a file system came up read-only -> not Ready, Stalled",
        make_scene(make_host(), make_observation(read_only=True)),
        {
            "Ready": ("False", "ReadOnlyFileSystem"),
            UP_TO_DATE: ("True", "NoUpdatesPending"),
            STALLED: ("True", "ReadOnlyFileSystem"),
        },
    ),
    (
        "updates are being installed -> Ready, Reconciling",
        make_scene(
            make_host(status=HostStatus(operations=[make_operation()])),
            make_observation(pending=2, operations=[on_host()]),
        ),
        {
            "Ready": ("True", "Reachable"),
            UP_TO_DATE: ("False", "UpdatesPending"),
            RECONCILING: ("True", "UpdatingPackages"),
        },
    ),
]


@pytest.mark.parametrize(("scene", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_conditions(scene, expected):
    status = written(scene)
    assert {condition.type: (condition.status, condition.reason) for condition in status.conditions} == expected


def test_who_waits_for_a_place_is_reconciling():
    plan = postpone(plan_host(make_scene(make_host(), make_observation(pending=2))), Denied("waiting for web-2"))
    assert said(host_status(plan, []), RECONCILING) == ("True", "WaitingForBudget")


def test_what_work_left_is_said_with_the_way_to_try_again():
    done = make_operation("Succeeded", ended=NOW - timedelta(hours=1), message="still pending: 2 updates")
    scene = make_scene(make_host(status=HostStatus(operations=[done])), make_observation(pending=2))
    up_to_date = find(written(scene).conditions, UP_TO_DATE)
    assert (up_to_date.status, up_to_date.reason) == ("False", "UpdatesPending")
    assert REQUESTED_AT in up_to_date.message


def test_what_kind_of_update_is_not_pending_is_said():
    status = written(make_scene(make_host(updates="Security"), make_observation(pending=2)))
    assert find(status.conditions, UP_TO_DATE).message == "no security update is pending and no reboot is due"


def test_facts_are_written_down():
    status = written(make_scene(make_host(), make_observation(pending=2, security=1, reboot_required_by=["linux"])))
    assert (status.host_info.machine_id, status.host_info.boot_id) == ("m-1", "boot-1")
    assert (status.packages.pending, status.packages.security) == (2, 1)
    assert (status.reboot_required, status.reboot_required_by) == (True, ["linux"])
    assert status.capacity.cpu == 2


def test_what_cannot_be_seen_now_keeps_its_last_value():
    before = written(make_scene(make_host(), make_observation(pending=2, reboot_required_by=["linux"])))
    after = written(make_scene(make_host(status=before), UNREACHABLE))
    for fact in ("host_info", "capacity", "packages", "reboot_required", "reboot_required_by"):
        assert getattr(after, fact) == getattr(before, fact)


def test_a_single_fact_that_could_not_be_read_keeps_its_last_value():
    before = written(make_scene(make_host(), make_observation(pending=2)))
    seen = make_observation(packages_known=False, package_problem=REPOSITORY, boot="boot-2")
    object.__setattr__(seen, "capacity", None)
    object.__setattr__(seen, "info", HostInfo(machineID="m-1", bootID="boot-2"))
    after = written(make_scene(make_host(status=before), seen))
    assert (after.capacity, after.packages) == (before.capacity, before.packages)
    assert (after.host_info.boot_id, after.host_info.os_id) == ("boot-2", "debian")


FIRST_USE = {"host_keys": [], "host_key_policy": "TrustOnFirstUse"}
OTHER_KEY = KEY.replace("ed25519", "rsa")


@pytest.mark.parametrize(
    ("sentence", "spec", "recorded", "expected"),
    [
        ("first use -> the key that was shown is recorded", FIRST_USE, [], [KEY]),
        ("a key is recorded -> it stays, whatever is shown", FIRST_USE, [OTHER_KEY], [OTHER_KEY]),
        ("keys are pinned in the spec -> none is recorded", {}, [], []),
        ("keys came into the spec later -> the recorded one is dropped", {}, [KEY], []),
    ],
)
def test_host_keys(sentence, spec, recorded, expected):
    host = make_host(status=HostStatus(host_keys=recorded), **spec)
    assert written(make_scene(host, make_observation())).host_keys == expected, sentence


def test_a_host_out_of_sight_keeps_its_recorded_key():
    host = make_host(status=HostStatus(host_keys=[KEY]), **FIRST_USE)
    assert written(make_scene(host, UNREACHABLE)).host_keys == [KEY]


def test_a_request_and_references_are_taken_down_with_the_answer():
    host = make_host(annotations={REQUESTED_AT: "x" * 300})
    reference = ObservedReference(kind="Secret", name="web", uid="u", version="7")
    status = host_status(plan_host(make_scene(host, make_observation(), requested=True)), [reference])
    assert status.last_handled_request == "x" * 256
    assert status.last_request_time == NOW
    assert status.observed_references == [reference]
    later = make_scene(make_host(status=status), make_observation(), now=NOW + timedelta(hours=1))
    assert host_status(plan_host(later), []).last_request_time == NOW


def test_the_first_answer_to_a_host_says_that_it_is_being_looked_into():
    host = make_host(generation=3)
    status = discovering_status(make_scene(host, UNREACHABLE), [])
    assert_conformance(host.model_copy(update={"status": status}))
    assert status.observed_generation == 3
    assert said(status, "Ready") == ("Unknown", "NotObserved")
    assert said(status, RECONCILING) == ("True", "Discovering")


def test_the_first_answer_to_a_new_generation_keeps_what_is_known_and_ends_a_stall():
    before = written(make_scene(make_host(), CHANGED_KEY))
    host = make_host(generation=2, status=before)
    status = discovering_status(make_scene(host, UNREACHABLE), [])
    assert_conformance(host.model_copy(update={"status": status}), host)
    assert said(status, "Ready") == ("False", "HostKeyMismatch")
    assert said(status, STALLED) is None
    assert said(status, RECONCILING) == ("True", "Discovering")


def test_what_was_true_of_the_older_spec_is_no_answer_to_the_new_one():
    """`kubectl wait --for=condition=UpToDate` compares the condition's observedGeneration with the object's."""
    before = written(make_scene(make_host(updates="Security"), make_observation(pending=1)))
    assert said(before, "UpToDate") == ("True", "NoUpdatesPending")
    host = make_host(generation=2, updates="All", status=before)
    status = discovering_status(make_scene(host, UNREACHABLE), [])
    assert_conformance(host.model_copy(update={"status": status}), host)
    assert status.observed_generation == 2
    generations = {condition.type: condition.observed_generation for condition in status.conditions}
    assert generations == {"Ready": 1, "Reconciling": 2, "UpToDate": 1}
    answered = written(make_scene(make_host(generation=2, updates="All", status=status), make_observation(pending=1)))
    assert said(answered, "UpToDate") == ("False", "UpdatesPending")
    assert {condition.observed_generation for condition in answered.conditions} == {2}


def test_a_new_generation_does_not_answer_a_request():
    """The request is handled by the assessment that follows, which may still fail to be written."""
    host = make_host(annotations={REQUESTED_AT: "now"}, status=HostStatus(last_handled_request="before"))
    assert discovering_status(make_scene(host, UNREACHABLE), []).last_handled_request == "before"


def test_nothing_new_is_no_change():
    """An unchanged status is not written: no resourceVersion, no watch event, no GitOps diff."""
    scene = make_scene(make_host(), make_observation(pending=2, reboot_required_by=["linux"]))
    plan = start(plan_host(scene), "UpdatePackages")
    before = host_status(plan, [])
    later = make_scene(
        make_host(status=before),
        make_observation(pending=2, reboot_required_by=["linux"], operations=[on_host(id_="new")], token=1),
        now=NOW + timedelta(minutes=5),
        new_operation_id="newer",
    )
    assert host_status(plan_host(later), []) == before


def test_a_request_to_try_again_is_remembered_until_the_work_may_start():
    """What the last run left is wanted only because somebody asked: forgotten, the window would open for nothing."""
    left = make_operation("Succeeded", ended=NOW - timedelta(hours=1), message="still pending: 2 updates")
    host = make_host(annotations={REQUESTED_AT: "now"}, status=HostStatus(operations=[left]), maintenance=CLOSED)
    waiting = written(make_scene(host, make_observation(pending=2), requested=True))
    assert waiting.last_handled_request == "now"
    assert said(waiting, "UpToDate") == ("False", "WaitingForMaintenanceWindow")

    opened = make_host(annotations={REQUESTED_AT: "now"}, status=waiting)
    later = make_scene(opened, make_observation(pending=2), now=NOW + timedelta(hours=9))
    assert plan_host(later).decision.action == "Start"
