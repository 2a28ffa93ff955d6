"""Hosts and policies that another release wrote, or that the worker may not read: places are kept, deletion never hangs (U6, I11)."""

import pytest

from kraut_core.api.conditions import READY, RECONCILING, STALLED, find
from kraut_core.api.conformance import assert_conformance
from kraut_core.api.v1alpha1.host import Host
from kraut_core.errors import NotFoundError
from kraut_worker.activities.kubernetes import KubernetesActivitiesAtHome
from kraut_worker.messages import AssessInput, HostName

pytestmark = pytest.mark.integration

SHARED = {"upgradePolicyRef": {"name": "one"}, "operatingSystem": {"updates": "All"}}
QUIET = {"upgradePolicyRef": {"name": "one"}, "operatingSystem": {"updates": "None"}}


@pytest.fixture
async def web(scene):
    """Hosts web-1, in mid update, and web-2, at rest, of a policy that lets one host be unavailable."""
    await scene.policy("one", rollingUpdate={"maxUnavailable": 1})
    for number, name in enumerate(("web-1", "web-2")):
        await scene.host(name, address=f"198.18.0.1{number}", **QUIET)
        await scene.assess(name)
    await scene.host("web-1", **SHARED)
    assert (await scene.assess("web-1")).outcome == "Operate"
    return scene


async def gone(scene, name):
    try:
        await scene.admin.get(Host, scene.namespace, name)
    except NotFoundError:
        return True
    return False


async def skipped(scene):
    """Why cleanups were skipped."""
    events = await scene.admin.get_raw(f"/apis/events.k8s.io/v1/namespaces/{scene.namespace}/events")
    return [event["note"] for event in events["items"] if event["reason"] == "CleanupSkipped"]


async def test_the_place_of_a_host_that_cannot_be_read_is_nobody_elses(web):
    """After a rollback: the next release has begun to work on web-1, and this one knows nothing of its spec."""
    web.next_release_wrote("web-1")
    await web.host("web-2", address="198.18.0.11", **SHARED)
    assert (await web.assess("web-2")).outcome == "Wait"
    waiting = find((await web.get_host("web-2")).status.conditions, RECONCILING)
    assert waiting.reason == "WaitingForBudget"
    assert "web-1" in waiting.message
    assert await web.places("one") == {"web-1": 1}


async def test_a_host_that_cannot_be_read_is_left_alone(web):
    before = await web.get_host("web-1")
    web.next_release_wrote("web-1")
    given = await web.assess("web-1")
    assert (given.outcome, given.reason) == ("Rest", "InvalidSpec")
    assert (await web.admin.get(Host, web.namespace, "web-1")) == before


async def test_a_host_that_cannot_be_read_is_deleted_and_its_place_is_free(web):
    await web.mark_for_deletion("web-1")
    web.next_release_wrote("web-1")
    assert (await web.assess("web-1")).outcome == "Gone"
    assert await gone(web, "web-1")
    assert [note for note in await skipped(web) if "does not fit this version of kraut" in note]
    await web.host("web-2", address="198.18.0.11", **SHARED)
    assert (await web.assess("web-2")).outcome == "Operate"
    assert await web.places("one") == {"web-2": 1}


async def test_a_host_that_cannot_be_read_is_deleted_where_nobody_serves_its_site(web):
    await web.mark_for_deletion("web-1")
    web.next_release_wrote("web-1")
    at_home = KubernetesActivitiesAtHome(web.worker, None, instance="tests")
    name = HostName(home="tests", namespace=web.namespace, name="web-1")
    question = AssessInput(host=name, site="away", operation_id="op")
    assert await at_home.report_unserved_site(question) == ""
    assert await gone(web, "web-1")
    assert await at_home.report_unserved_site(question) == ""


def unreadable(scene):
    scene.next_release_wrote("one")


def forbidden(scene):
    scene.worker_may_not_read("upgradepolicies")


@pytest.mark.parametrize("hinder", [unreadable, forbidden])
async def test_a_policy_that_cannot_be_read_does_not_keep_a_host_from_being_deleted(web, hinder):
    await web.mark_for_deletion("web-1")
    hinder(web)
    assert (await web.assess("web-1")).outcome == "Gone"
    assert await gone(web, "web-1")
    assert await skipped(web) == []


@pytest.mark.parametrize(
    ("hinder", "reason", "words"),
    [
        (unreadable, "UpgradePolicyInvalid", "does not fit this version"),
        (forbidden, "UpgradePolicyForbidden", "may not read UpgradePolicy one"),
    ],
)
async def test_a_policy_that_cannot_be_read_is_said_and_nothing_starts(web, hinder, reason, words):
    await web.host("web-2", address="198.18.0.11", **SHARED)
    before = await web.get_host("web-2")
    hinder(web)
    assert (await web.assess("web-2")).outcome == "Rest"
    after = await web.get_host("web-2")
    assert_conformance(after, before)
    stalled = find(after.status.conditions, STALLED)
    assert (stalled.reason, find(after.status.conditions, READY).status) == (reason, "True")
    assert words in stalled.message


@pytest.mark.parametrize("hinder", [unreadable, forbidden])
async def test_who_is_in_mid_work_goes_on_when_its_policy_cannot_be_read_any_more(web, hinder):
    started = (await web.get_host("web-1")).status.operations[0]
    hinder(web)
    given = await web.assess("web-1", operation_id=started.id)
    assert (given.outcome, given.operation.id) == ("Operate", started.id)


async def test_a_host_is_not_cleaned_up_behind_an_activity_that_may_be_about_to_start_something(web):
    started = (await web.get_host("web-1")).status.operations[0]
    await web.mark_for_deletion("web-1")
    given = await web.assess("web-1", in_flight=started.id)
    assert (given.outcome, given.reason, web.asked) == ("Wait", "OperationRunning", [])
    assert not await gone(web, "web-1")
    assert (await web.assess("web-1")).outcome == "Gone"
    assert await gone(web, "web-1")
