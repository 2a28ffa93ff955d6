"""Metrics for Prometheus: one registry per process object, never the global one, and the buckets that all share.

Where a metric means what controller-runtime's means it bears that name (``controller_runtime_reconcile_total``,
``workqueue_depth``: https://book.kubebuilder.io/reference/metrics-reference), so that existing dashboards work;
everything else starts with ``kraut_``. Seconds and bytes, as https://prometheus.io/docs/practices/naming/ asks.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Gauge, GCCollector, PlatformCollector, ProcessCollector

NAMESPACE: Final = "kraut"


def exponential_buckets(start: float, factor: float, count: int) -> tuple[float, ...]:
    """``count`` upper bounds from ``start``, each ``factor`` times the one before (client_golang's ExponentialBuckets)."""
    if start <= 0 or factor <= 1 or count < 1:
        raise ValueError(f"expected start > 0, factor > 1 and count >= 1, found {start}, {factor} and {count}")
    return tuple(start * factor**step for step in range(count))


QUEUE_BUCKETS: Final = exponential_buckets(1e-6, 10, 10)
"""Seconds an item waits or is worked on in a queue: 1 us to 1000 s, as in controller-runtime's workqueue_*."""

REQUEST_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 12.0, 30.0, 60.0)
"""Seconds of one request to the Kubernetes API, to Temporal or to a host."""

RECONCILE_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds of one reconciliation, as in controller_runtime_reconcile_time_seconds up to a minute."""

WORK_BUCKETS: Final = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 3600.0, 7200.0)
"""Seconds of durable work on a host: installing updates, rebooting."""


def new_registry(*, component: str, version: str) -> CollectorRegistry:
    """A registry with the process', the platform's and the garbage collector's metrics and ``kraut_build_info``."""
    registry = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    build = Gauge(
        "build_info", "Always 1; says what runs.", ("component", "version"), namespace=NAMESPACE, registry=registry
    )
    build.labels(component=component, version=version).set(1)
    return registry
