"""What is made of what was seen of a cluster: a table."""

from datetime import UTC, datetime

import pytest

from kraut_core.api.conditions import find
from kraut_core.api.conformance import assert_conformance
from kraut_core.api.meta import ObservedReference
from kraut_core.api.v1alpha1.cluster import Cluster
from kraut_core.errors import PermanentError, UnreachableError
from kraut_worker.planning.cluster import LOOKS, ClusterScene, answer_cluster, decide_cluster
from kraut_worker.planning.cluster_status import cluster_notes, cluster_status, discovering_cluster
from kraut_worker.planning.scene import Problem
from kraut_worker.ports import ClusterSighting

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ISSUER = "https://oidc.east.example.com"
SIGHTING = ClusterSighting("v1.37.2", "kraut:home:x", ISSUER)
AWAY = Problem.of(UnreachableError("https://a does not answer; kraut goes on trying (timeout)"))
UNKNOWN = Problem.of(PermanentError("https://a does not know kraut: trust it", reason="Unauthorized"))
SECRET = ObservedReference(kind="Secret", name="east", uid="s", version="7")


def cluster(status=None, **spec):
    access = {"kubeconfig": {"secretRef": {"name": "east"}}}
    manifest = {
        "kind": "Cluster",
        "metadata": {
            "name": "east",
            "namespace": "lab",
            "uid": "u",
            "generation": 3,
            "annotations": {"kraut.dev/requested-at": "now"},
        },
        "spec": {"access": access, **spec},
    }
    return Cluster.model_validate({**manifest, **({"status": status} if status else {})})


def scene(sighting=None, problem=None, attempt=0, status=None, **spec):
    return ClusterScene(cluster(status, **spec), NOW, sighting, problem, attempt, "home/Cluster/lab/east")


HIDDEN = ClusterSighting("v1.37.2", "jane", "", issuer_hidden="bind the ClusterRole x to jane there")
UNREADY = ClusterSighting("v1.37.2", "jane", ISSUER, unready="/readyz answers 500")

TABLE = [
    # what was seen, Ready, reason, other condition, outcome, reachable
    ("fine", scene(SIGHTING), "True", "Reachable", None, "Rest", True),
    ("the issuer that was named", scene(SIGHTING, issuer=ISSUER), "True", "Reachable", None, "Rest", True),
    ("another issuer", scene(SIGHTING, issuer=ISSUER + "/"), "False", "IssuerMismatch", "Stalled", "Wait", True),
    ("a hidden issuer", scene(HIDDEN), "True", "Reachable", None, "Rest", True),
    ("a hidden issuer that matters", scene(HIDDEN, issuer=ISSUER), "False", "IssuerHidden", "Stalled", "Wait", True),
    ("not ready", scene(UNREADY), "False", "ApiServerNotReady", "Reconciling", "Wait", True),
    ("away", scene(problem=AWAY), "Unknown", "Unreachable", "Reconciling", "Wait", False),
    ("away for long", scene(problem=AWAY, attempt=LOOKS), "Unknown", "Unreachable", "Reconciling", "Rest", False),
    ("unauthorized", scene(problem=UNKNOWN), "False", "Unauthorized", "Stalled", "Wait", True),
    ("unauthorized for long", scene(problem=UNKNOWN, attempt=LOOKS), "False", "Unauthorized", "Stalled", "Rest", True),
]


@pytest.mark.parametrize(
    ("seen", "ready", "reason", "other", "outcome", "reachable"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_what_was_seen_is_what_the_status_says(seen, ready, reason, other, outcome, reachable):
    decision = decide_cluster(seen)
    status = cluster_status(seen, decision, [SECRET])
    found = find(status.conditions, "Ready")
    assert (found.status, found.reason) == (ready, reason)
    assert {condition.type for condition in status.conditions} - {"Ready"} == ({other} if other else set())
    assert status.reachable is reachable
    assert status.observed_generation == 3
    assert status.observed_references == [SECRET]
    assert status.last_handled_request == "now"
    assert answer_cluster(seen, decision).outcome == outcome
    assert answer_cluster(seen, decision).healing is (other is not None)
    assert_conformance(seen.cluster.model_copy(update={"status": status}))


def test_what_is_not_seen_this_time_keeps_its_last_value():
    before = {"observedGeneration": 3, "version": "v1.36.3", "issuer": ISSUER, "username": "jane", "reachable": True}
    status = cluster_status(away := scene(problem=AWAY, status=before), decide_cluster(away), [])
    assert (status.version, status.issuer, status.username, status.reachable) == ("v1.36.3", ISSUER, "jane", False)


def test_the_first_answer_to_a_generation_says_that_it_is_looked_at():
    status = discovering_cluster(scene(), [SECRET])
    assert {condition.type: condition.status for condition in status.conditions} == {
        "Ready": "Unknown",
        "Reconciling": "True",
    }
    assert_conformance(cluster().model_copy(update={"status": status}))
    assert cluster_notes(None, status) == []


def test_a_change_of_ready_is_an_event_and_the_same_again_is_none():
    good = cluster_status(scene(SIGHTING), decide_cluster(scene(SIGHTING)), [])
    bad = cluster_status(scene(problem=UNKNOWN), decide_cluster(scene(problem=UNKNOWN)), [])
    assert [(note.type, note.reason) for note in cluster_notes(good, bad)] == [("Warning", "Unauthorized")]
    assert [(note.type, note.reason) for note in cluster_notes(bad, good)] == [("Normal", "Reachable")]
    assert cluster_notes(good, good) == []


def test_pauses_grow_to_a_minute():
    pauses = [
        answer_cluster(seen := scene(problem=AWAY, attempt=attempt), decide_cluster(seen)).recheck_seconds
        for attempt in range(6)
    ]
    assert pauses == [5, 10, 20, 40, 60, 60]
