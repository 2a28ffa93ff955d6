"""Every metric is documented, and the reference says what the services count."""

import pytest
from metrics_reference import REFERENCE, ROOT, SERVICES, metrics, render


def test_the_reference_is_what_the_services_count():
    assert REFERENCE.read_text() == render(), "run `make generate` and commit docs/reference/metrics.md"


def test_every_service_with_metrics_is_there():
    packages = {file.parent.name.replace("_", "-") for file in ROOT.glob("packages/*/src/*/metrics.py")}
    assert packages - {"kraut-core"} == set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_a_metric_says_what_it_means(service):
    for name, (_, meaning, _) in metrics(service).items():
        assert len(meaning) > 10, name
        assert meaning.endswith("."), name
