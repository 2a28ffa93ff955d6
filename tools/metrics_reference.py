"""Write docs/reference/metrics.md from the metrics of every service; ``--check`` only compares."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from generated import write_or_compare
from prometheus_client import CollectorRegistry

from kraut_core.metrics import new_registry
from kraut_oidc_proxy.metrics import ProxyMetrics
from kraut_operator.metrics import OperatorMetrics
from kraut_worker.metrics import WorkerMetrics

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference" / "metrics.md"
SERVICES: dict[str, Callable[[CollectorRegistry], Any]] = {
    "kraut-oidc-proxy": ProxyMetrics,
    "kraut-operator": OperatorMetrics,
    "kraut-worker": WorkerMetrics,
}

HEAD = """# Metrics

Every service serves them for Prometheus at `/metrics` on its probe port (`KRAUT_PROBE_PORT`), without authentication. Names of
controller-runtime and client-go where they mean the same. `kraut_build_info` and Python's own (`process_*`, `python_*`) are in each.

Generated from the source by `make generate`; edit it there.
"""


def render() -> str:
    """The reference as Markdown."""
    return "\n".join([HEAD, *(_service(name) for name in SERVICES)]).rstrip() + "\n"


def metrics(service: str) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """Type, meaning and labels of the service's own metrics, by their name as Prometheus shows it."""
    registry = new_registry(component=service, version="")
    common = {*vars(registry)["_names_to_collectors"].values()}
    SERVICES[service](registry)
    found = {}
    for collector in vars(registry)["_collector_to_names"]:
        if collector not in common:
            (family,) = collector.describe()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found[name] = (family.type, family.documentation, tuple(vars(collector)["_labelnames"]))
    return found


def _service(service: str) -> str:
    rows = [
        f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {meaning.replace('<', '&lt;')} |"
        for name, (kind, meaning, labels) in sorted(metrics(service).items())
    ]
    return "\n".join([f"## {service}\n", "| metric | type | labels | meaning |", "|---|---|---|---|", *rows, ""])


if __name__ == "__main__":
    sys.exit(write_or_compare(REFERENCE, render()))
