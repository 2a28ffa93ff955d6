"""Every activity as a crossing, and the scope of all that it does."""

from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from kraut_core.testing.crossing_signals import CrossingSignals
from kraut_core.testing.crossings import SCOPE, Crossings


class CrossingActivities(CrossingSignals, Interceptor):
    """An interceptor of the client and of its workers."""

    def __init__(self, crossings: Crossings) -> None:
        super().__init__(crossings, sender="worker")

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 (the SDK's name)
        """Called once for each activity that begins."""
        return _Inbound(next, self._crossings)


class _Inbound(ActivityInboundInterceptor):
    def __init__(self, next_: ActivityInboundInterceptor, crossings: Crossings) -> None:
        super().__init__(next_)
        self._crossings = crossings

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        info = activity.info()
        target = (info.workflow_id or "").rsplit("/", 1)[-1]
        SCOPE.set(self._crossings.scope(target, info.activity_type))
        with self._crossings.around("activity"):
            return await super().execute_activity(input)
