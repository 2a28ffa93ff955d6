"""Workflows that answer a Host as kraut-worker does, without a machine behind it: the operator's loop is closed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from kraut_core.api.v1alpha1.host import Host
from kraut_core.contracts.reconcile import (
    RECONCILE_SIGNAL,
    ReconcileInput,
    ReconcileRequest,
    kubernetes_queue,
    workflow_queue,
)
from kraut_core.errors import ConflictError, KrautError, NotFoundError
from kraut_core.kube import paths
from kraut_core.kube.client import KubeClient, as_kind


@workflow.defn(name="HostWorkflow")
class AnsweringWorkflow:
    """Writes the status that answers the Host as it is, after every signal."""

    def __init__(self) -> None:
        self._woken = False

    @workflow.signal(name=RECONCILE_SIGNAL)
    def reconcile(self, request: ReconcileRequest) -> None:
        """Something changed."""
        del request
        self._woken = True

    @workflow.run
    async def run(self, start: ReconcileInput) -> None:
        """Answer until nobody has called meanwhile."""
        self._woken = True
        while self._woken:
            self._woken = False
            await workflow.execute_activity(
                "answer",
                start,
                task_queue=kubernetes_queue(start.home),
                start_to_close_timeout=timedelta(seconds=60),
            )
            if workflow.info().is_continue_as_new_suggested():
                # The next run begins by answering, and so knows of every signal.
                workflow.continue_as_new(start)


class Answers:
    """The activity; ``given`` counts what it wrote."""

    def __init__(self, kube: KubeClient) -> None:
        self.given = 0
        self._kube = kube

    @activity.defn(name="answer")
    async def answer(self, start: ReconcileInput) -> None:
        """Write the status, unless the Host is gone; a Host that is changed meanwhile is read again."""
        path = paths.item(as_kind(Host), start.namespace, start.name)
        while True:
            try:
                host = await self._kube.get_raw(path)
                await self._kube.put_raw(f"{path}/status", {**host, "status": await self._status(host)})
            except NotFoundError:
                return
            except ConflictError:
                continue
            except KrautError:
                await asyncio.sleep(0.5)
                continue
            self.given += 1
            return

    async def _status(self, host: dict[str, Any]) -> dict[str, Any]:
        metadata = host["metadata"]
        name = host["spec"]["credentialsRef"]["name"]
        secret = await self._kube.get_secret(metadata["namespace"], name)
        seen = {"kind": "Secret", "name": name, "uid": secret.uid, "version": secret.resource_version}
        return {
            "observedGeneration": metadata["generation"],
            "lastHandledRequest": metadata.get("annotations", {}).get("kraut.dev/requested-at", ""),
            "observedReferences": [seen],
        }


@asynccontextmanager
async def answering(client: Client, kube: KubeClient, home: str) -> AsyncIterator[Answers]:
    """Run the workflows and their activity for a home while the block runs."""
    answers = Answers(kube)
    workflows = Worker(
        client,
        task_queue=workflow_queue(home),
        workflows=[AnsweringWorkflow],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    activities = Worker(client, task_queue=kubernetes_queue(home), activities=[answers.answer])
    async with workflows, activities:
        yield answers
