"""The sweep's activity: real Hosts, a real Temporal server, and one workflow that takes no signal any more."""

import pytest
from temporalio.client import Client, Interceptor, OutboundInterceptor
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from kraut_worker.activities.kubernetes import KubernetesActivitiesAtHome
from kraut_worker.messages import SweepInput, SweepReport

pytestmark = pytest.mark.integration


class Refusing(Interceptor):
    """Answers for one workflow as a Temporal server does whose limit of signals per run is reached."""

    def __init__(self, refused, status):
        self.refused, self.status, self.asked = refused, status, []

    def intercept_client(self, next):  # noqa: A002 (the SDK's name)
        outer = self

        class Outbound(OutboundInterceptor):
            async def start_workflow(self, input):  # noqa: A002
                outer.asked.append(input.id)
                if input.id == outer.refused:
                    message = "exceeded workflow execution limit for signal events"
                    raise RPCError(message, outer.status, b"")
                return await super().start_workflow(input)

        return Outbound(next)


async def swept(scene, temporal_server, status):
    """A sweep over three hosts of which the first to be woken is refused; who was asked, and what it reports."""
    home = scene.namespace
    for name in ("web-1", "web-2", "web-3"):
        await scene.host(name)
    probe = Refusing("", status)
    report = await run(scene, temporal_server, probe, home)
    mine = [id_ for id_ in probe.asked if f"/{scene.namespace}/" in id_]
    assert (len(mine), report.refused) == (3, 0)
    refusing = Refusing(mine[0], status)
    return refusing, mine, await run(scene, temporal_server, refusing, home), report


async def run(scene, temporal_server, interceptor, home):
    client = await Client.connect(
        temporal_server.address, data_converter=pydantic_data_converter, interceptors=[interceptor]
    )
    activities = KubernetesActivitiesAtHome(scene.worker, client, instance="tests")
    sweep = SweepInput(home=home, kind="Host", spread_seconds=0.1)
    return await ActivityEnvironment().run(activities.sweep, sweep)


async def test_one_workflow_that_cannot_be_woken_does_not_stop_the_sweep(scene, temporal_server):
    refusing, mine, report, before = await swept(scene, temporal_server, RPCStatusCode.INVALID_ARGUMENT)
    assert [id_ for id_ in refusing.asked if id_ in mine] == mine
    assert report == SweepReport(woken=before.woken - 1, refused=1)


@pytest.mark.parametrize("status", [RPCStatusCode.UNAVAILABLE, RPCStatusCode.NOT_FOUND], ids=["server", "namespace"])
async def test_a_server_or_namespace_that_is_away_ends_the_attempt(scene, temporal_server, status):
    with pytest.raises(RPCError):
        await swept(scene, temporal_server, status)
