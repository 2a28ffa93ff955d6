"""``python -m bench.subjects.operator``: kraut-operator, printing ``name generation nanoseconds`` per acknowledged signal.

Settings come from the environment, as kraut-operator's do.
"""

import asyncio
import sys
import time
from typing import Any

from temporalio.client import Interceptor, OutboundInterceptor, StartWorkflowInput, WorkflowHandle

from kraut_core.contracts.reconcile import ReconcileRequest
from kraut_core.instruments import Instruments
from kraut_core.logs import configure_logs
from kraut_core.settings import load_settings
from kraut_operator.__main__ import run
from kraut_operator.process import COMPONENT
from kraut_operator.settings import OperatorProcessSettings


class Acknowledgements(Interceptor):
    """Prints each signal-with-start that Temporal took."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002 (the SDK's name)
        """Called once for each client."""
        return _Outbound(next)


class _Outbound(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:  # noqa: A002
        handle = await super().start_workflow(input)
        request = input.start_signal_args[0]
        if isinstance(request, ReconcileRequest):
            sys.stdout.write(f"{input.id.rpartition('/')[2]} {request.generation} {time.time_ns()}\n")
            sys.stdout.flush()
        return handle


if __name__ == "__main__":
    settings = load_settings(OperatorProcessSettings)
    configure_logs(settings.log, component=COMPONENT)
    asyncio.run(run(settings, Instruments(temporal=[Acknowledgements()])))
