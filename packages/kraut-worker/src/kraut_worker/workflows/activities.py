"""What workflows may ask for: the activities' names and types, without their implementation.

``kraut_worker.activities`` implements these protocols; workflows import nothing of it.
"""

from typing import Protocol

from temporalio import activity

from kraut_worker.messages import (
    AssessClusterInput,
    AssessInput,
    Assessment,
    ClusterAssessment,
    OperationReport,
    RunOperationInput,
    SweepInput,
    SweepReport,
)


class HostActivities(Protocol):
    """Activities on one host; they run on the task queue of its site."""

    @activity.defn(name="assess_host")
    async def assess(self, question: AssessInput) -> Assessment:
        """Read the Host, gather facts, decide the next step, write the status."""
        ...

    @activity.defn(name="run_operation")
    async def run_operation(self, task: RunOperationInput) -> OperationReport:
        """Start an operation or attach to it, and stay until its end is known."""
        ...


class ClusterActivities(Protocol):
    """Activities on one cluster; they run on the home cluster's Kubernetes queue."""

    @activity.defn(name="assess_cluster")
    async def assess(self, question: AssessClusterInput) -> ClusterAssessment:
        """Read the Cluster, look at what it describes, decide the next step, write the status."""
        ...


class KubernetesActivities(Protocol):
    """Activities that need nothing but the home cluster's API."""

    @activity.defn(name="report_unserved_site")
    async def report_unserved_site(self, question: AssessInput) -> str:
        """Say in the Host's status that no worker serves its site; returns the site it names now, empty when it is gone."""
        ...

    @activity.defn(name="sweep")
    async def sweep(self, sweep: SweepInput) -> SweepReport:
        """Wake every object of a kind."""
        ...
