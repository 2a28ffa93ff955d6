"""Assess a Cluster: read it, look at what it describes, decide, write down what was seen."""

from dataclasses import replace

import structlog
from temporalio import activity

from kraut_core.api.v1alpha1.cluster import Cluster, ClusterStatus
from kraut_core.errors import ConflictError, InvalidSpecError, KrautError, NotFoundError
from kraut_core.kube.client import KubeClient
from kraut_core.kube.events import Event, create_event
from kraut_worker.activities.assess import CONFLICTS, CONTROLLER
from kraut_worker.activities.cluster_targets import read_target
from kraut_worker.activities.heartbeat import heartbeating
from kraut_worker.messages import AssessClusterInput, ClusterAssessment
from kraut_worker.metrics import WorkerMetrics
from kraut_worker.planning.cluster import ClusterScene, answer_cluster, decide_cluster
from kraut_worker.planning.cluster_status import cluster_notes, cluster_status, discovering_cluster
from kraut_worker.planning.events import Note
from kraut_worker.planning.scene import Problem
from kraut_worker.ports import ClusterProber, ClusterTarget

log = structlog.get_logger(__name__)


class ClusterActivitiesAtHome:
    """Implements ``kraut_worker.workflows.activities.ClusterActivities``."""

    def __init__(self, kube: KubeClient, prober: ClusterProber, metrics: WorkerMetrics, *, instance: str) -> None:
        self._kube = kube
        self._prober = prober
        self._metrics = metrics
        self._instance = instance

    @activity.defn(name="assess_cluster")
    async def assess(self, question: AssessClusterInput) -> ClusterAssessment:
        """Read the Cluster, look at what it describes, decide the next step, write the status."""
        with self._metrics.assessment("cluster") as outcome:
            async with heartbeating():
                assessment = await self.look(question, activity.info().workflow_id or "")
            outcome.append(assessment.outcome)
            return assessment

    async def look(self, question: AssessClusterInput, workflow_id: str) -> ClusterAssessment:
        """The next step of the cluster. Raises ConflictError, ApiServerError (of the home cluster): assess again."""
        for _ in range(CONFLICTS):
            try:
                return await self._look(question, workflow_id)
            except ConflictError:
                continue
            except NotFoundError:
                return ClusterAssessment(outcome="Gone")
            except InvalidSpecError as error:
                name = question.cluster
                log.warning("cluster refused", cluster=name.name, namespace=name.namespace, error=str(error))
                return ClusterAssessment(outcome="Rest", reason=error.reason)
        raise ConflictError(f"Cluster {question.cluster.name} was written by others {CONFLICTS} times meanwhile")

    async def _look(self, question: AssessClusterInput, workflow_id: str) -> ClusterAssessment:
        cluster = await self._kube.get(Cluster, question.cluster.namespace, question.cluster.name)
        if cluster.metadata.deletion_timestamp is not None:
            # kraut leaves nothing there that it would have to take away.
            return ClusterAssessment(outcome="Gone")
        target, references = await read_target(self._kube, cluster)
        scene = ClusterScene(cluster, self._kube.now(), None, None, question.attempt, workflow_id)
        if cluster.status is None or cluster.status.observed_generation != cluster.metadata.generation:
            scene = replace(scene, cluster=await self._write(cluster, discovering_cluster(scene, references)))
        scene = await self._see(scene, target)
        decision = decide_cluster(scene)
        await self._tell(scene.cluster, cluster_status(scene, decision, references))
        assessment = answer_cluster(scene, decision)
        log.info(
            "cluster assessed",
            cluster=cluster.metadata.name,
            namespace=cluster.metadata.namespace,
            generation=cluster.metadata.generation,
            outcome=assessment.outcome,
            reason=assessment.reason,
        )
        return assessment

    async def _see(self, scene: ClusterScene, target: ClusterTarget | KrautError) -> ClusterScene:
        if isinstance(target, KrautError):
            return replace(scene, problem=Problem.of(target))
        try:
            return replace(scene, sighting=await self._prober.probe(target), now=self._kube.now())
        except KrautError as error:
            problem = Problem.of(error)
        except Exception as error:
            # Were it raised, the activity would be tried again for ever, and the status would go on saying what was true once.
            log.exception(
                "looking at a cluster broke",
                cluster=scene.cluster.metadata.name,
                namespace=scene.cluster.metadata.namespace,
            )
            problem = _defect(error)
        return replace(scene, problem=problem, now=self._kube.now())

    async def _tell(self, cluster: Cluster, status: ClusterStatus) -> None:
        before = cluster.status
        if status != before:
            await self._write(cluster, status)
        for note in cluster_notes(before, status):
            await self._note(cluster, note)

    async def _note(self, cluster: Cluster, note: Note) -> None:
        event = Event(regarding=cluster, reason=note.reason, action=note.action, note=note.message, type=note.type)
        try:
            await create_event(self._kube, event, controller=CONTROLLER, instance=self._instance)
        except KrautError as error:
            # An Event is a courtesy: the status says the same.
            log.warning("event not recorded", cluster=cluster.metadata.name, reason=note.reason, error=str(error))

    async def _write(self, cluster: Cluster, status: ClusterStatus) -> Cluster:
        return await self._kube.replace_status(Cluster, cluster.model_copy(update={"status": status}))


def _defect(error: Exception) -> Problem:
    """What kraut did not foresee, without its text: that may quote what a cluster answered."""
    message = (
        f"kraut met something that it did not expect while it looked at the cluster ({type(error).__name__}): a defect of kraut, report it "
        "with what kraut-worker's log says; kraut goes on trying"
    )
    return Problem(KrautError.default_reason, message, permanent=False)
