"""Row 12 of the fault matrix: N, then N+1, then N again, with open runs; I8: none of them is stuck.

Workflows run in processes of their own, kraut-worker as it is and as it may be next (next_release.py). Their activities are
here, so that the test decides how long they take, and answer as N+1 may: with fields, or outcomes, that N does not know.
"""

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections import defaultdict
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from kraut_core.contracts.reconcile import RECONCILE_SIGNAL, workflow_id, workflow_queue
from kraut_core.testing.processes import GUARD

pytestmark = pytest.mark.integration

NOW = ["-m", "kraut_worker"]
NEXT = ["-c", "import next_release; next_release.main()"]
NEW_FIELDS = {"risk": {"level": 3}, "because": ["of", "what", "is", "new"]}
PATIENCE_SECONDS = 150
REST = {"outcome": "Rest"}
WAIT = {"outcome": "Wait", "recheckSeconds": 3600.0}


class Site:
    """The activities of N+1 on the hosts: JSON as it goes over the wire."""

    def __init__(self):
        self.answers = defaultdict(lambda: WAIT)
        self.asked = defaultdict(int)
        self.orders = {}
        self.started = defaultdict(set)
        self.ended = set()

    def operate(self, name):
        """From now on this host is worked on, and whoever looks finds the operation."""
        self.orders[name] = {
            **NEW_FIELDS,
            "id": str(uuid.uuid4()),
            "type": "UpdatePackages",
            "fencingToken": 1,
            "bootId": "b",
        }

    @activity.defn(name="assess_host")
    async def assess(self, question: dict) -> dict:
        name = question["host"]["name"]
        self.asked[name] += 1
        if name in self.orders and name not in self.ended:
            return {**NEW_FIELDS, "outcome": "Operate", "operation": self.orders[name]}
        return {**NEW_FIELDS, **self.answers[name]}

    @activity.defn(name="run_operation")
    async def run_operation(self, task: dict) -> dict:
        name = task["host"]["name"]
        self.started[name].add(task["order"]["id"])
        while name not in self.ended:
            activity.heartbeat()
            await asyncio.sleep(0.2)
        return {**NEW_FIELDS, "state": "Ended"}


class Home:
    """One home cluster whose workflows are run by one process after the other."""

    def __init__(self, client, kubeconfig, folder):
        self.client = client
        self.id = f"upgrade-{uuid.uuid4().hex[:8]}"
        self.site = Site()
        self._kubeconfig = kubeconfig
        self._log = folder / "log"
        self._process = None

    def deploy(self, release):
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([*GUARD, sys.executable, *release], env=self._environment(), stderr=log)

    def end(self, number=signal.SIGTERM):
        self._process.send_signal(number)
        self._process.wait(timeout=60)

    async def wake(self, name, **fields):
        """Signal-with-start, as operators of any version do it."""
        start = {"home": self.id, "namespace": "lab", "name": name, "state": '{"lingerSeconds": 1, "mood": "new"}'}
        await self.client.start_workflow(
            "HostWorkflow",
            {**start, **NEW_FIELDS},
            id=self.workflow(name),
            task_queue=workflow_queue(self.id),
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal=RECONCILE_SIGNAL,
            start_signal_args=[{"uid": "u", "generation": 1, "reason": "Spec", **NEW_FIELDS, **fields}],
        )

    async def asked_again(self, name, **fields):
        """Wake a host until it is looked at once more: a run that could not go on is begun afresh by the next signal."""
        before = self.site.asked[name]
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.site.asked[name] == before:
                await self.wake(name, **fields)
                await self.until(lambda: self.site.asked[name] > before, seconds=5)

    async def until(self, holds, *, seconds=PATIENCE_SECONDS):
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not holds():
                    await asyncio.sleep(0.05)
        if seconds == PATIENCE_SECONDS:
            assert holds(), self._log.read_text()

    async def runs(self):
        """All runs, by name of the host, oldest first."""
        found = defaultdict(list)
        executions = [run async for run in self.client.list_workflows(f"WorkflowId STARTS_WITH '{self.id}/'")]
        for run in sorted(executions, key=lambda run: run.start_time):
            found[run.id.rpartition("/")[2]].append(run)
        return found

    async def all_ended(self):
        """Wait until no workflow is open; returns how they ended, by name of the host."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                ends = {name: [run.status for run in runs] for name, runs in (await self.runs()).items()}
                if all(WorkflowExecutionStatus.RUNNING not in statuses for statuses in ends.values()):
                    return ends
                await asyncio.sleep(0.2)

    async def failure(self, name):
        """Why the first run of this host failed."""
        first = (await self.runs())[name][0]
        with pytest.raises(WorkflowFailureError) as failure:
            await self.client.get_workflow_handle(first.id, run_id=first.run_id).result()
        return failure.value.cause

    def workflow(self, name):
        return workflow_id(self.id, "Host", "lab", name)

    def _environment(self):
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(Path(__file__).parent),
            "KUBECONFIG": str(self._kubeconfig),
            "KRAUT_HOME_ID": self.id,
            "KRAUT_TEMPORAL_ADDRESS": self.client.service_client.config.target_host,
            "KRAUT_WORKER_ROLES": "workflows",
            "KRAUT_PROBE_HOST": "127.0.0.1",
            "KRAUT_PROBE_PORT": "0",
        }


@pytest.fixture
async def home(control_plane, temporal_server, tmp_path):
    client = await Client.connect(temporal_server.address, data_converter=pydantic_data_converter)
    home = Home(client, control_plane.kubeconfig("worker"), tmp_path)
    queues = [f"{home.id}.ssh.default", f"{home.id}.ssh.default.operations"]
    async with AsyncExitStack() as stack:
        for queue in queues:
            activities = [home.site.assess, home.site.run_operation]
            await stack.enter_async_context(Worker(client, task_queue=queue, activities=activities))
        yield home
        home.site.ended |= set(home.site.orders)
        home.end(signal.SIGKILL)
        for runs in (await home.runs()).values():
            if runs[-1].status == WorkflowExecutionStatus.RUNNING:
                await client.get_workflow_handle(runs[-1].id).terminate()


COMPLETED, FAILED = WorkflowExecutionStatus.COMPLETED, WorkflowExecutionStatus.FAILED


@pytest.mark.fault(row=12, fault="release N, then N+1, then N again, with open runs", invariants=("I8",))
async def test_the_next_release_and_back_again_with_open_runs(home):
    site = home.site
    home.deploy(NOW)
    site.operate("busy")
    for name in ("waiting", "busy"):
        await home.asked_again(name)
    await home.until(lambda: site.started["busy"])

    home.end()
    home.deploy(NEXT)
    site.operate("busy-next")
    for name in ("waiting", "busy", "waiting-next", "busy-next"):
        await home.asked_again(name)
    await home.until(lambda: site.started["busy-next"])

    home.end(signal.SIGKILL)
    home.deploy(NOW)
    for name in ("waiting", "busy", "waiting-next", "busy-next"):
        await home.asked_again(name)
    site.ended |= {"busy", "busy-next"}
    for name in ("waiting", "busy", "waiting-next", "busy-next"):
        site.answers[name] = REST
        await home.wake(name)

    ends = await home.all_ended()
    assert {name: statuses[-1] for name, statuses in ends.items()} == dict.fromkeys(ends, COMPLETED)
    # What began under N went on through all of it; what began under N+1 was given up and begun afresh.
    assert FAILED not in ends["waiting"] + ends["busy"]
    assert ends["waiting-next"][0] == ends["busy-next"][0] == FAILED
    assert "Nondeterminism error" in str(await home.failure("busy-next"))
    # Whoever looked found the operation that ran: each host saw one, under one id.
    assert dict(site.started) == {name: {site.orders[name]["id"]} for name in ("busy", "busy-next")}


@pytest.mark.fault(row=12, fault="an answer that only N+1 knows", invariants=("I8",))
async def test_an_answer_that_this_release_does_not_know_is_no_dead_end(home):
    home.deploy(NOW)
    home.site.answers["host"] = {"outcome": "DrainFirst"}
    await home.wake("host")
    await home.until(lambda: home.site.asked["host"] == 1)
    assert isinstance(await home.failure("host"), ApplicationError)
    home.site.answers["host"] = REST
    await home.wake("host")
    await home.until(lambda: home.site.asked["host"] == 2)

    assert await home.all_ended() == {"host": [FAILED, COMPLETED]}


@pytest.mark.fault(row=12, fault="a signal that only N+1 knows", invariants=("I8",))
async def test_a_signal_with_a_reason_of_the_next_release_is_heard(home):
    home.deploy(NOW)
    await home.asked_again("host")
    before = home.site.asked["host"]
    await home.wake("host", reason="CertificateExpires")
    await home.until(lambda: home.site.asked["host"] > before)
