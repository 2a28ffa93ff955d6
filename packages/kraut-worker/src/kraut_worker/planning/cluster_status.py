"""The status of a Cluster, computed in one place from what was observed, and the Events that tell of its changes (pure)."""

from collections.abc import Sequence

from kraut_core.api.conditions import READY, RECONCILING, STALLED, Verdict, find, set_conditions
from kraut_core.api.meta import REQUESTED_AT, ObservedReference
from kraut_core.api.v1alpha1.cluster import ClusterStatus
from kraut_worker.planning import cluster_verdicts as verdicts
from kraut_worker.planning.cluster import ClusterDecision, ClusterScene
from kraut_worker.planning.events import Note

ANSWERED = frozenset({verdicts.UNAUTHORIZED, verdicts.FORBIDDEN})
"""Reasons that an API server with a trusted certificate gave itself."""


def cluster_status(
    scene: ClusterScene, decision: ClusterDecision, references: Sequence[ObservedReference]
) -> ClusterStatus:
    """The status that says what was seen. What could not be observed this time keeps its last value: Ready says that it is old."""
    found = [decision.ready]
    if decision.state == "Stalled":
        found.append(Verdict(STALLED, "True", decision.ready.reason, decision.ready.message))
    elif decision.state == "Retrying":
        found.append(Verdict(RECONCILING, "True", verdicts.RETRYING, "kraut looks at the cluster again soon"))
    return _status(scene, found, references).model_copy(
        update={
            **_observed(scene),
            "last_handled_request": scene.cluster.metadata.annotations.get(REQUESTED_AT, "")[:256],
        }
    )


def discovering_cluster(scene: ClusterScene, references: Sequence[ObservedReference]) -> ClusterStatus:
    """The first answer to a new generation: it was seen and is being looked into. Ready stays, as known of the older one."""
    said = [Verdict(RECONCILING, "True", verdicts.DISCOVERING, "the cluster is being looked at")]
    if scene.cluster.status is None or find(scene.cluster.status.conditions, READY) is None:
        said.append(Verdict(READY, "Unknown", verdicts.NOT_OBSERVED, "the cluster was not reached yet"))
    return _status(scene, said, references, keep=(READY,))


def _status(
    scene: ClusterScene,
    found: Sequence[Verdict],
    references: Sequence[ObservedReference],
    *,
    keep: Sequence[str] = (),
) -> ClusterStatus:
    before, generation = scene.cluster.status or ClusterStatus(), scene.cluster.metadata.generation
    return before.model_copy(
        update={
            "observed_generation": generation,
            "observed_references": list(references),
            "workflow_id": scene.workflow_id,
            "conditions": set_conditions(before.conditions, found, generation=generation, now=scene.now, keep=keep),
        }
    )


def _observed(scene: ClusterScene) -> dict[str, object]:
    sighting = scene.sighting
    if sighting is None:
        return {"reachable": scene.problem is not None and scene.problem.reason in ANSWERED}
    return {
        "reachable": True,
        "version": sighting.version[:128],
        "issuer": sighting.issuer[:1024],
        "username": sighting.username[:1024],
    }


def cluster_notes(before: ClusterStatus | None, after: ClusterStatus) -> list[Note]:
    """The Events that tell how a cluster came from one status to the next."""
    was = find(before.conditions, READY) if before else None
    now = find(after.conditions, READY)
    if now is None or now.reason == verdicts.NOT_OBSERVED:
        return []
    if was is not None and (was.status, was.reason) == (now.status, now.reason):
        return []
    return [Note("Normal" if now.status == "True" else "Warning", now.reason, "Probe", now.message)]
