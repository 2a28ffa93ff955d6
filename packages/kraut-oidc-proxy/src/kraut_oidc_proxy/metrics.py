"""kraut-oidc-proxy's metrics."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

from kraut_core.identity.jwks import PublicJwk
from kraut_core.metrics import NAMESPACE


class ProxyMetrics:
    """Everything the proxy counts, in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "oidc_requests",
            "Answers on the public port.",
            ("issuer", "route", "code"),
            namespace=NAMESPACE,
            registry=registry,
        )
        self.polls = Counter(
            "oidc_polls", "Reads of an API server.", ("issuer", "result"), namespace=NAMESPACE, registry=registry
        )
        self.last_success = Gauge(
            "oidc_last_success_timestamp_seconds",
            "When an API server last answered well.",
            ("issuer",),
            namespace=NAMESPACE,
            registry=registry,
        )
        self.serving = Gauge(
            "oidc_serving",
            "1 while the routes answer 200, 0 while they answer 503.",
            ("issuer",),
            namespace=NAMESPACE,
            registry=registry,
        )
        self.issuer_match = Gauge(
            "oidc_issuer_match",
            "0 when an API server named another issuer at the last read.",
            ("issuer",),
            namespace=NAMESPACE,
            registry=registry,
        )
        self.key_info = Gauge(
            "oidc_key_info",
            "Always 1; a published key.",
            ("issuer", "kid", "alg"),
            namespace=NAMESPACE,
            registry=registry,
        )
        self.certificate = Gauge(
            "tls_certificate_not_after_timestamp_seconds",
            "When the certificate in use expires.",
            namespace=NAMESPACE,
            registry=registry,
        )
        self.certificate_failures = Gauge(
            "tls_certificate_reload_failures",
            "Changed certificate files that could not be used.",
            namespace=NAMESPACE,
            registry=registry,
        )

    def show_keys(self, issuer: str, before: Iterable[PublicJwk], after: Iterable[PublicJwk]) -> None:
        """Replace an issuer's published keys."""
        for key in set(before) - set(after):
            self.key_info.remove(issuer, key.kid, key.alg)
        for key in after:
            self.key_info.labels(issuer, key.kid, key.alg).set(1)
