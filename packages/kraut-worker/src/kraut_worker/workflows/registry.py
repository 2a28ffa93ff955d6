"""All workflows: what a worker of the role ``workflows`` serves, and what must replay."""

from typing import Final

from kraut_worker.workflows.cluster import ClusterWorkflow
from kraut_worker.workflows.host import HostWorkflow
from kraut_worker.workflows.sweep import SweepWorkflow

WORKFLOWS: Final = (ClusterWorkflow, HostWorkflow, SweepWorkflow)
