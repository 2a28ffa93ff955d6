"""A Cluster that cannot be looked at, whatever the reason, has a status that says so: never an old one, never an attempt without end."""

import pytest
from prometheus_client import CollectorRegistry

from kraut_core.api.conditions import find
from kraut_core.api.conformance import assert_conformance
from kraut_core.api.v1alpha1.cluster import Cluster
from kraut_worker.activities.clusters import ClusterActivitiesAtHome
from kraut_worker.messages import AssessClusterInput, ClusterName
from kraut_worker.metrics import WorkerMetrics
from kraut_worker.ports import ClusterSighting

pytestmark = pytest.mark.integration

PLANTED = "planted-answer-of-a-target"


class Prober:
    """Sees what it is told to, or breaks."""

    def __init__(self):
        self.result = ClusterSighting("v1.37.2", "jane", "https://oidc.west.example.com")

    async def probe(self, target):
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.mark.parametrize("defect", [AttributeError(PLANTED), RecursionError(PLANTED), ValueError(PLANTED)])
async def test_what_kraut_did_not_foresee_ends_as_a_status_and_heals(scene, defect):
    secret = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "west"}, "stringData": {"kubeconfig": "{}"}}
    await scene.admin.post_raw(f"/api/v1/namespaces/{scene.namespace}/secrets", secret)
    metadata = {"name": "west", "namespace": scene.namespace}
    spec = {"access": {"kubeconfig": {"secretRef": {"name": "west"}}}}
    manifest = {"apiVersion": "kraut.dev/v1alpha1", "kind": "Cluster", "metadata": metadata, "spec": spec}
    await scene.admin.apply(manifest, field_manager="tests")
    prober = Prober()
    worker = ClusterActivitiesAtHome(scene.worker, prober, WorkerMetrics(CollectorRegistry()), instance="tests")
    question = AssessClusterInput(cluster=ClusterName(home="tests", namespace=scene.namespace, name="west"))

    async def look():
        before = await scene.worker.get(Cluster, scene.namespace, "west")
        assessment = await worker.look(question, "tests/west")
        cluster = await scene.worker.get(Cluster, scene.namespace, "west")
        assert_conformance(cluster, before)
        return assessment, cluster.status, find(cluster.status.conditions, "Ready")

    good = prober.result
    assert (await look())[2].status == "True"
    prober.result = defect
    assessment, status, ready = await look()
    assert (assessment.outcome, assessment.healing) == ("Wait", True)
    assert (ready.status, ready.reason) == ("Unknown", "InternalError")
    assert type(defect).__name__ in ready.message
    assert PLANTED not in status.model_dump_json()
    assert (status.reachable, status.version) == (False, "v1.37.2")
    prober.result = good
    assert (await look())[2].status == "True"
