"""What is to be done with a cluster, from what was seen of it (pure). Today that is: look again, or not."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from kraut_core.api.conditions import READY, Status, Verdict
from kraut_core.api.v1alpha1.cluster import Cluster
from kraut_worker.messages import ClusterAssessment
from kraut_worker.planning import cluster_verdicts as verdicts
from kraut_worker.planning.scene import Problem
from kraut_worker.ports import ClusterSighting

LOOKS = 10
"""After so many looks in a row that found trouble, only sweeps, changes and requests lead to another."""
LONGEST_PAUSE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class ClusterScene:
    """A Cluster and what was seen of it: a sighting, or the problem that there was none."""

    cluster: Cluster
    now: datetime
    sighting: ClusterSighting | None
    problem: Problem | None
    attempt: int = 0
    workflow_id: str = ""


@dataclass(frozen=True, slots=True)
class ClusterDecision:
    """What ``Ready`` says, and whether kraut goes on by itself (``Retrying``) or somebody must act (``Stalled``)."""

    ready: Verdict
    state: Literal["Settled", "Retrying", "Stalled"]


def decide_cluster(scene: ClusterScene) -> ClusterDecision:
    """Judge what was seen."""
    problem, sighting = scene.problem, scene.sighting
    if sighting is not None:
        return _judge(scene, sighting)
    if problem is None:
        return _decision("Unknown", verdicts.NOT_OBSERVED, "the cluster was not reached yet", "Retrying")
    status: Status = "False" if problem.permanent else "Unknown"
    return _decision(status, problem.reason, problem.message, "Stalled" if problem.permanent else "Retrying")


def _judge(scene: ClusterScene, sighting: ClusterSighting) -> ClusterDecision:
    expected = scene.cluster.spec.issuer
    if expected is not None and not sighting.issuer:
        message = f"the cluster's issuer should be {expected}, and cannot be read: {sighting.issuer_hidden}"
        return _decision("False", verdicts.ISSUER_HIDDEN, message, "Stalled")
    if expected is not None and sighting.issuer != expected:
        message = (
            f"the cluster's issuer should be {expected}, it is {sighting.issuer}: either this is another cluster, and spec.access "
            "is wrong, or its issuer was changed, and spec.issuer is"
        )
        return _decision("False", verdicts.ISSUER_MISMATCH, message, "Stalled")
    if sighting.unready:
        return _decision("False", verdicts.NOT_READY, f"the API server is not ready: {sighting.unready}", "Retrying")
    hint = f"; its issuer is not known: {sighting.issuer_hidden}" if sighting.issuer_hidden else ""
    return _decision("True", verdicts.REACHABLE, f"{sighting.version} answers {sighting.username}{hint}", "Settled")


def _decision(
    status: Status, reason: str, message: str, state: Literal["Settled", "Retrying", "Stalled"]
) -> ClusterDecision:
    return ClusterDecision(Verdict(READY, status, reason, message), state)


def answer_cluster(scene: ClusterScene, decision: ClusterDecision) -> ClusterAssessment:
    """The decision as the workflow reads it. What somebody must mend elsewhere is looked at again too: nobody tells kraut."""
    if decision.state == "Settled":
        return ClusterAssessment(outcome="Rest", reason=decision.ready.reason)
    pause = timedelta(seconds=min(5 * 2 ** min(scene.attempt, LOOKS), LONGEST_PAUSE_SECONDS))
    return ClusterAssessment(
        outcome="Wait" if scene.attempt < LOOKS else "Rest",
        recheck_seconds=pause.total_seconds(),
        healing=True,
        reason=decision.ready.reason,
    )
