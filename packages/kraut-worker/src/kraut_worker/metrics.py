"""The worker's metrics; controller-runtime's names where they mean the same."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from kraut_core.metrics import NAMESPACE, RECONCILE_BUCKETS, WORK_BUCKETS

CONTROLLER = "host"


class WorkerMetrics:
    """Everything the worker counts, in one registry.

    A reconciliation is an assessment: ``result`` is its outcome in lower case (operate, wait, rest, gone, othersite), or error.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._reconciles = Counter(
            "controller_runtime_reconcile",
            "Assessments, by outcome.",
            ("controller", "result"),
            registry=registry,
        )
        self._seconds = Histogram(
            "controller_runtime_reconcile_time_seconds",
            "Seconds of an assessment: read, gather facts, plan, write.",
            ("controller",),
            buckets=RECONCILE_BUCKETS,
            registry=registry,
        )
        self._active = Gauge(
            "controller_runtime_active_workers", "Assessments under way.", ("controller",), registry=registry
        )
        self._attended = Gauge(
            "attended_operations", "Operations this process stays with.", namespace=NAMESPACE, registry=registry
        )
        self._operation_seconds = Histogram(
            "attended_operation_seconds",
            "Seconds this process stayed with an operation, by how that ended.",
            ("type", "state"),
            namespace=NAMESPACE,
            buckets=WORK_BUCKETS,
            registry=registry,
        )

    @contextmanager
    def assessment(self, controller: str = CONTROLLER) -> Iterator[list[str]]:
        """Count one assessment; the caller appends its outcome. ``controller``: the kind in lower case."""
        began = time.monotonic()
        outcome: list[str] = []
        with self._active.labels(controller).track_inprogress():
            try:
                yield outcome
            finally:
                result = outcome[0].lower() if outcome else "error"
                self._reconciles.labels(controller, result).inc()
                self._seconds.labels(controller).observe(time.monotonic() - began)

    @contextmanager
    def operation(self, type_: str) -> Iterator[list[str]]:
        """Count one stay with an operation; the caller appends how it ended."""
        began = time.monotonic()
        state: list[str] = []
        with self._attended.track_inprogress():
            try:
                yield state
            finally:
                ended = state[0] if state else "Interrupted"
                self._operation_seconds.labels(type_, ended).observe(time.monotonic() - began)
