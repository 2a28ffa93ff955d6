"""Every signal-with-start as a crossing: the operator's dispatches, and what the worker wakes."""

from typing import Any

from temporalio.client import Interceptor, OutboundInterceptor, StartWorkflowInput, WorkflowHandle

from kraut_core.testing.crossings import SCOPE, Crossings, Scope


class CrossingSignals(Interceptor):
    """An interceptor of Temporal's client; ``sender`` is the scope of what is sent outside of an activity."""

    def __init__(self, crossings: Crossings, *, sender: str) -> None:
        self._crossings = crossings
        self._sender = sender

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002 (the SDK's name)
        """Called once for each client."""
        return _Outbound(next, self._crossings, self._sender)


class _Outbound(OutboundInterceptor):
    def __init__(self, next_: OutboundInterceptor, crossings: Crossings, sender: str) -> None:
        super().__init__(next_)
        self._crossings = crossings
        self._sender = sender

    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:  # noqa: A002
        scope = SCOPE.get() or Scope(input.id.rsplit("/", 1)[-1], self._sender)
        with self._crossings.around(f"wake {input.workflow}", scope):
            return await super().start_workflow(input)
