"""A real Temporal server, real workflows, and typed activities that answer as a test says."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, Worker

from kraut_core.contracts.reconcile import (
    RECONCILE_SIGNAL,
    ReconcileInput,
    ReconcileRequest,
    kubernetes_queue,
    operations_queue,
    ssh_queue,
    workflow_id,
    workflow_queue,
)
from kraut_lab.temporal import TemporalServer
from kraut_worker.messages import (
    AssessClusterInput,
    AssessInput,
    Assessment,
    ClusterAssessment,
    ClusterState,
    HostState,
    OperationReport,
    RunOperationInput,
    SweepInput,
    SweepReport,
)
from kraut_worker.workflows.registry import WORKFLOWS

REST = Assessment(outcome="Rest")


class Changing:
    """Lets tests await what activities did."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()

    async def change(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(holds), timeout=120)


class SiteDouble(Changing):
    """The activities of one site. ``answer`` decides; the gates hold an activity back until the test lets it go on."""

    def __init__(self) -> None:
        super().__init__()
        self.answer: Callable[[AssessInput], Assessment] = lambda _: REST
        self.asked: list[AssessInput] = []
        self.tasks: list[RunOperationInput] = []
        self.report = OperationReport(state="Ended")
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.may_end = asyncio.Event()
        self.may_end.set()

    @activity.defn(name="assess_host")
    async def assess(self, question: AssessInput) -> Assessment:
        self.asked.append(question)
        await self.change()
        await self.may_answer.wait()
        return self.answer(question)

    @activity.defn(name="run_operation")
    async def run_operation(self, task: RunOperationInput) -> OperationReport:
        self.tasks.append(task)
        await self.change()
        while not self.may_end.is_set():
            activity.heartbeat()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.may_end.wait(), timeout=1)
        return self.report


class HomeDouble(Changing):
    """The activities that need the home cluster's API."""

    def __init__(self) -> None:
        super().__init__()
        self.site_now: Callable[[AssessInput], str] = lambda question: question.site
        self.unserved: list[AssessInput] = []
        self.sweeps: list[SweepInput] = []

    @activity.defn(name="report_unserved_site")
    async def report_unserved_site(self, question: AssessInput) -> str:
        self.unserved.append(question)
        await self.change()
        return self.site_now(question)

    @activity.defn(name="sweep")
    async def sweep(self, sweep: SweepInput) -> SweepReport:
        self.sweeps.append(sweep)
        return SweepReport(woken=7)


class ClustersDouble(Changing):
    """The assessments of clusters, as SiteDouble for hosts."""

    def __init__(self) -> None:
        super().__init__()
        self.answer: Callable[[AssessClusterInput], ClusterAssessment] = lambda _: ClusterAssessment(outcome="Rest")
        self.asked: list[AssessClusterInput] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    @activity.defn(name="assess_cluster")
    async def assess(self, question: AssessClusterInput) -> ClusterAssessment:
        self.asked.append(question)
        await self.change()
        await self.may_answer.wait()
        return self.answer(question)


@dataclass
class Stage:
    """One home cluster on the shared Temporal server: its workers, its doubles and the workflow of its one host."""

    client: Client
    home: str = field(default_factory=lambda: f"test-{uuid.uuid4()}")
    at_home: HomeDouble = field(default_factory=HomeDouble)
    clusters: ClustersDouble = field(default_factory=ClustersDouble)
    sites: dict[str, SiteDouble] = field(default_factory=dict)
    running: dict[str, Worker] = field(default_factory=dict)
    runs: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    @property
    def site(self) -> SiteDouble:
        """The default site."""
        return self.sites["default"]

    @property
    def host_workflow_id(self) -> str:
        return workflow_id(self.home, "Host", "lab", "web-1")

    @property
    def host_workflow(self) -> WorkflowHandle:
        """The newest run."""
        return self.client.get_workflow_handle(self.host_workflow_id)

    def start(self, name: str, worker: Worker) -> None:
        self.running[name] = worker
        self.runs[name] = asyncio.create_task(worker.run())

    async def stop(self, name: str) -> None:
        await self.running.pop(name).shutdown()
        await self.runs.pop(name)

    def start_workflows(self, *, cached: int = 0) -> None:
        """Without a cache every workflow task replays the whole history: what is not deterministic shows at once."""
        queue = workflow_queue(self.home)
        self.start("workflows", Worker(self.client, task_queue=queue, workflows=WORKFLOWS, max_cached_workflows=cached))

    def start_home(self) -> None:
        activities = [self.at_home.report_unserved_site, self.at_home.sweep, self.clusters.assess]
        self.start("home", Worker(self.client, task_queue=kubernetes_queue(self.home), activities=activities))

    def start_site(self, name: str = "default") -> SiteDouble:
        double = self.sites.setdefault(name, SiteDouble())
        looks, operations = ssh_queue(self.home, name), operations_queue(self.home, name)
        self.start(name, Worker(self.client, task_queue=looks, activities=[double.assess]))
        self.start(f"{name} operations", Worker(self.client, task_queue=operations, activities=[double.run_operation]))
        return double

    async def stop_site(self, name: str = "default") -> None:
        await self.stop(name)
        await self.stop(f"{name} operations")

    async def wake(
        self, state: HostState | None = None, *, uid: str = "u-1", site: str = "", reason: str = "Spec"
    ) -> WorkflowHandle:
        """Signal-with-start as the operator and sweeps do it; ``state`` is what an earlier run would have handed over."""
        start = ReconcileInput(home=self.home, namespace="lab", name="web-1", site=site)
        if state is not None:
            start = start.model_copy(update={"state": state.model_dump_json()})
        return await self.client.start_workflow(
            "HostWorkflow",
            start,
            id=self.host_workflow_id,
            task_queue=workflow_queue(self.home),
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal=RECONCILE_SIGNAL,
            start_signal_args=[ReconcileRequest(uid=uid, generation=1, reason=reason)],
        )

    @property
    def cluster_workflow(self) -> WorkflowHandle:
        """The newest run."""
        return self.client.get_workflow_handle(workflow_id(self.home, "Cluster", "lab", "east"))

    async def wake_cluster(self, state: ClusterState | None = None, *, reason: str = "Spec") -> WorkflowHandle:
        """As ``wake``, for a Cluster."""
        start = ReconcileInput(home=self.home, namespace="lab", name="east")
        if state is not None:
            start = start.model_copy(update={"state": state.model_dump_json()})
        return await self.client.start_workflow(
            "ClusterWorkflow",
            start,
            id=workflow_id(self.home, "Cluster", "lab", "east"),
            task_queue=workflow_queue(self.home),
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal=RECONCILE_SIGNAL,
            start_signal_args=[ReconcileRequest(uid="u-1", generation=1, reason=reason)],
        )

    async def histories(self) -> list:
        """The histories of all runs of all workflows of this home, oldest first."""
        found = self.client.list_workflows(f"WorkflowId STARTS_WITH '{self.home}/'")
        runs = sorted([run async for run in found], key=lambda run: run.start_time)
        return [await self.client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history() for run in runs]


@pytest.fixture(scope="session")
async def temporal_client(temporal_server) -> Client:
    return await _connect(temporal_server)


async def _connect(server: TemporalServer) -> Client:
    # Recorded histories name whoever wrote them: not the machine they were recorded on.
    return await Client.connect(server.address, data_converter=pydantic_data_converter, identity="kraut-worker@test")


@pytest.fixture
def replayer() -> Replayer:
    return Replayer(workflows=WORKFLOWS, data_converter=pydantic_data_converter)


@pytest.fixture
async def stage(temporal_client, replayer, request) -> AsyncIterator[Stage]:
    """A home with all workers running. Afterwards every run must replay; ``record.py`` keeps the histories."""
    async with _open_stage(temporal_client, replayer, request.node) as stage:
        yield stage


@pytest.fixture
async def brief_stage(tmp_path, replayer, request) -> AsyncIterator[Stage]:
    """As ``stage``, on a server of its own that suggests to continue as new after 30 events already."""
    server = TemporalServer(tmp_path, dynamic_config={"limit.historyCount.suggestContinueAsNew": "30"})
    server.start()
    try:
        async with _open_stage(await _connect(server), replayer, request.node) as stage:
            yield stage
    finally:
        server.stop()


@asynccontextmanager
async def _open_stage(client: Client, replayer: Replayer, node: pytest.Item) -> AsyncIterator[Stage]:
    stage = Stage(client)
    async with AsyncExitStack() as stack:
        stage.start_workflows()
        stage.start_home()
        stage.start_site()
        stack.push_async_callback(_end, stage)
        yield stage
        histories = await stage.histories()
        for history in histories:
            await replayer.replay_workflow(history)
        node.histories = histories


async def _end(stage: Stage) -> None:
    stage.clusters.may_answer.set()
    for double in stage.sites.values():
        double.may_answer.set()
        double.may_end.set()
    for name in list(stage.running):
        await stage.stop(name)
    async for run in stage.client.list_workflows(f"WorkflowId STARTS_WITH '{stage.home}/'"):
        if run.close_time is None:
            await stage.client.get_workflow_handle(run.id, run_id=run.run_id).terminate()
