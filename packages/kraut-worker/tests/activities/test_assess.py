"""Assessments at a real kube-apiserver, in the moments between two of their writes."""

from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace

import pytest

from kraut_core.api.conditions import READY, RECONCILING, find
from kraut_core.api.v1alpha1.host import UP_TO_DATE, Host
from kraut_core.kube import clock

pytestmark = pytest.mark.integration

ALL = {"upgradePolicyRef": {"name": "one"}, "operatingSystem": {"updates": "All"}}
NONE = {"upgradePolicyRef": {"name": "one"}, "operatingSystem": {"updates": "None"}}


@pytest.fixture
async def web(scene):
    """Host web-1, known and at rest, of a policy that lets one host be unavailable."""
    await scene.policy("one", rollingUpdate={"maxUnavailable": 1})
    await scene.host("web-1", **NONE)
    assert (await scene.assess("web-1")).outcome == "Rest"
    assert find((await scene.get_host("web-1")).status.conditions, READY).status == "True"
    return scene


async def test_a_start_takes_a_place_under_its_fencing_token(web):
    await web.host("web-1", **ALL)
    given = await web.assess("web-1")
    assert (given.outcome, given.operation.type, given.operation.fencing_token) == ("Operate", "UpdatePackages", 1)
    assert await web.places("one") == {"web-1": 1}


@pytest.mark.parametrize("wish", [{"paused": True, **ALL}, NONE], ids=["paused", "no updates"])
async def test_a_start_that_a_person_forestalls_leaves_no_place_behind(web, wish):
    """I6: the place is reserved before the start is written down; the Host changes in between."""
    await web.host("web-1", **ALL)
    given = await web.assess("web-1", meanwhile=partial(web.host, "web-1", **wish))
    assert (given.outcome, given.operation) == ("Rest", None)
    assert await web.places("one") == {}
    host = await web.get_host("web-1")
    assert (host.status.operations, host.status.fencing_token) == ([], 1)


async def test_who_waits_for_the_place_of_a_forestalled_start_is_woken(web):
    await web.host("web-2", address="198.18.0.11", **NONE)
    await web.assess("web-2")
    await web.host("web-1", **ALL)

    async def meanwhile():
        await web.worker_takes_place("web-1", token=1)
        await web.host("web-2", address="198.18.0.11", **ALL)
        assert (await web.assess("web-2")).outcome == "Wait"
        await web.host("web-1", paused=True, **ALL)

    await web.assess("web-1", meanwhile=meanwhile)
    waiting = find((await web.get_host("web-2")).status.conditions, RECONCILING)
    assert waiting.reason == "WaitingForBudget"
    assert web.woken == ["web-2"]
    assert (await web.assess("web-2")).outcome == "Operate"


async def test_the_next_start_of_a_forestalled_host_has_a_token_of_its_own(web):
    await web.host("web-1", **ALL)
    await web.assess("web-1", meanwhile=partial(web.host, "web-1", paused=True, **ALL))
    await web.host("web-1", **ALL)
    given = await web.assess("web-1")
    assert given.operation.fencing_token == 2
    assert await web.places("one") == {"web-1": 2}


async def test_a_deleted_host_gives_back_whatever_place_it_holds(web):
    """Somebody else's finalizer keeps the object: it goes on sharing the policy."""
    await web.worker_takes_place("web-1", token=7)
    host = await web.get_host("web-1")
    version, finalizers = host.metadata.resource_version, [*host.metadata.finalizers, "example.com/inventory"]
    await web.admin.set_finalizers(Host, web.namespace, "web-1", version, finalizers)
    await web.admin.delete(Host, web.namespace, "web-1")
    assert (await web.assess("web-1")).outcome == "Gone"
    assert (await web.get_host("web-1")).metadata.finalizers == ["example.com/inventory"]
    assert await web.places("one") == {}


async def test_a_worker_whose_clock_is_slow_starts_nothing_after_the_maintenance_window(web, monkeypatch):
    """As after its machine was suspended; the API server's clock, which all workers share, is asked."""
    monkeypatch.setattr(clock, "datetime", SimpleNamespace(now=lambda zone: datetime.now(zone) - timedelta(minutes=10)))
    opened = datetime.now(UTC) - timedelta(minutes=20)
    window = {"start": f"{opened.minute} {opened.hour} * * *", "duration": "15m"}
    await web.host("web-1", maintenance={"windows": [window]}, **ALL)
    given = await web.assess("web-1")
    assert (given.outcome, given.operation) == ("Rest", None)
    current = find((await web.get_host("web-1")).status.conditions, UP_TO_DATE)
    assert current.reason == "WaitingForMaintenanceWindow"
