"""What operators and workers of two versions say to each other can be read by both."""

from typing import get_args

import pytest
from pydantic import ValidationError

from kraut_core.contracts.reconcile import Reason, ReconcileInput, ReconcileRequest


def test_a_request_of_a_newer_operator_is_understood():
    text = '{"uid": "u", "generation": 3, "reason": "CertificateExpires", "priority": {"level": 1}}'
    assert ReconcileRequest.model_validate_json(text) == ReconcileRequest(uid="u", generation=3, reason="Sweep")


@pytest.mark.parametrize("reason", get_args(Reason))
def test_known_reasons_stay(reason):
    text = f'{{"uid": "u", "generation": 3, "reason": "{reason}"}}'
    assert ReconcileRequest.model_validate_json(text).reason == reason


def test_what_is_no_reason_is_refused():
    with pytest.raises(ValidationError):
        ReconcileRequest.model_validate({"uid": "u", "generation": 3, "reason": 7})


def test_the_start_of_a_newer_operator_is_understood():
    text = '{"home": "h", "namespace": "n", "name": "a", "state": "{}", "shard": 7}'
    assert ReconcileInput.model_validate_json(text) == ReconcileInput(home="h", namespace="n", name="a", state="{}")
