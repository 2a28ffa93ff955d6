"""Signal-with-start: the one way in which anybody wakes the workflow of an object."""

from datetime import timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from kraut_core.contracts.reconcile import (
    RECONCILE_SIGNAL,
    ReconcileInput,
    ReconcileRequest,
    workflow_id,
    workflow_queue,
    workflow_type,
)


async def wake_workflow(
    client: Client,
    *,
    home: str,
    kind: str,
    namespace: str,
    name: str,
    request: ReconcileRequest,
    site: str = "",
    rpc_timeout: timedelta | None = None,
) -> None:
    """Signal the workflow of an object, starting it when none is open; ``site`` is the one that its spec names.

    No workflow RetryPolicy and no timeouts: a retry would lose the signal (temporalio/temporal#8284).
    Raises temporalio.service.RPCError when Temporal does not take it.
    """
    await client.start_workflow(
        workflow_type(kind),
        ReconcileInput(home=home, namespace=namespace, name=name, site=site),
        id=workflow_id(home, kind, namespace, name),
        task_queue=workflow_queue(home),
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        start_signal=RECONCILE_SIGNAL,
        start_signal_args=[request],
        rpc_timeout=rpc_timeout,
    )
