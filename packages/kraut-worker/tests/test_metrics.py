"""What the worker counts, as Prometheus would read it."""

import pytest
from prometheus_client import CollectorRegistry

from kraut_worker.metrics import WorkerMetrics


@pytest.fixture
def registry():
    return CollectorRegistry()


def test_an_assessment_counts_by_its_outcome(registry):
    metrics = WorkerMetrics(registry)

    with metrics.assessment() as outcome:
        assert registry.get_sample_value("controller_runtime_active_workers", {"controller": "host"}) == 1
        outcome.append("Operate")

    labels = {"controller": "host", "result": "operate"}
    assert registry.get_sample_value("controller_runtime_reconcile_total", labels) == 1
    assert registry.get_sample_value("controller_runtime_active_workers", {"controller": "host"}) == 0
    assert registry.get_sample_value("controller_runtime_reconcile_time_seconds_count", {"controller": "host"}) == 1


def test_an_assessment_that_fails_counts_as_an_error(registry):
    metrics = WorkerMetrics(registry)

    with pytest.raises(RuntimeError), metrics.assessment():
        raise RuntimeError

    labels = {"controller": "host", "result": "error"}
    assert registry.get_sample_value("controller_runtime_reconcile_total", labels) == 1


def test_a_stay_with_an_operation_counts_by_how_it_ended(registry):
    metrics = WorkerMetrics(registry)

    with metrics.operation("Reboot") as state:
        assert registry.get_sample_value("kraut_attended_operations") == 1
        state.append("Ended")

    labels = {"type": "Reboot", "state": "Ended"}
    assert registry.get_sample_value("kraut_attended_operation_seconds_count", labels) == 1
