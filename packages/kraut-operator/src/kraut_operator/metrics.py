"""The operator's metrics; names of controller-runtime and client-go where they mean the same."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from kraut_core.metrics import NAMESPACE, QUEUE_BUCKETS, REQUEST_BUCKETS

QUEUE = "dispatch"


class OperatorMetrics:
    """Everything the operator counts, in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._count_queue(registry)
        self._count_requests(registry)
        self._count_dispatches(registry)
        self._count_objects(registry)

    def _count_queue(self, registry: CollectorRegistry) -> None:
        self.queue_depth = Gauge("workqueue_depth", "Keys that are due.", ("name",), registry=registry).labels(QUEUE)
        self.queue_adds = Counter("workqueue_adds", "Keys added.", ("name",), registry=registry).labels(QUEUE)
        self.queue_retries = Counter("workqueue_retries", "Keys tried again.", ("name",), registry=registry).labels(
            QUEUE
        )
        self.queue_seconds = Histogram(
            "workqueue_queue_duration_seconds",
            "Seconds a due key waited.",
            ("name",),
            buckets=QUEUE_BUCKETS,
            registry=registry,
        ).labels(QUEUE)
        self.work_seconds = Histogram(
            "workqueue_work_duration_seconds",
            "Seconds that waking a workflow took.",
            ("name",),
            buckets=QUEUE_BUCKETS,
            registry=registry,
        ).labels(QUEUE)

    def _count_requests(self, registry: CollectorRegistry) -> None:
        self.leader = Gauge(
            "leader_election_master_status", "1 on the leader, 0 on a standby.", ("name",), registry=registry
        )
        self.requests = Counter(
            "rest_client_requests",
            "Requests to the API server; code <error> when there was no answer.",
            ("code", "method", "host"),
            registry=registry,
        )

    def _count_dispatches(self, registry: CollectorRegistry) -> None:
        self.dispatches = Counter(
            "dispatches", "Workflows woken.", ("kind", "reason"), namespace=NAMESPACE, registry=registry
        )
        self.dispatch_failures = Counter(
            "dispatch_failures",
            "Signals that Temporal did not take.",
            ("code",),
            namespace=NAMESPACE,
            registry=registry,
        )
        self.dispatch_seconds = Histogram(
            "dispatch_seconds",
            "Seconds of one signal-with-start.",
            namespace=NAMESPACE,
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self.unanswered = Gauge(
            "unanswered_objects",
            "Objects whose workflow was woken and whose status does not answer yet.",
            namespace=NAMESPACE,
            registry=registry,
        )

    def _count_objects(self, registry: CollectorRegistry) -> None:
        self.objects = Gauge(
            "cached_objects", "Objects that the operator knows.", ("kind",), namespace=NAMESPACE, registry=registry
        )
        self.resyncs = Counter(
            "resyncs",
            "Comparisons of all objects with the world that came to their end.",
            namespace=NAMESPACE,
            registry=registry,
        )
        self.stream_failures = Counter(
            "watch_failures", "Watches that ended with an error.", ("kind",), namespace=NAMESPACE, registry=registry
        )
        self.undecodable = Gauge(
            "undecodable_objects",
            "Objects and events left out because they do not fit their kind's shape.",
            ("kind",),
            namespace=NAMESPACE,
            registry=registry,
        )

    def observe_requests(self, host: Callable[[], str]) -> Callable[[str, int], None]:
        """An observer for ``KubeClient.connect``; ``host`` names the API server once it is known."""

        def observe(method: str, status: int) -> None:
            self.requests.labels(str(status) if status else "<error>", method, host()).inc()

        return observe
