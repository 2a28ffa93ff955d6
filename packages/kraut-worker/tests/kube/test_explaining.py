"""Every refusal of a provider says what to do, and keeps its reason and whether time heals it."""

import pytest

from kraut_core.identity.errors import ExchangeRefusedError, ExchangeUnavailableError
from kraut_core.identity.exchange import REASONS
from kraut_worker.adapters.kube.explaining import ADVICE, explain_exchange


def test_no_reason_is_left_without_advice():
    assert set(ADVICE) == set(REASONS.values())


@pytest.mark.parametrize("reason", [*ADVICE, "ExchangeAnswerInvalid"])
def test_a_refusal_is_for_somebody_to_mend(reason):
    found = explain_exchange(ExchangeRefusedError("https://sts.example.com refused", reason=reason))
    assert (found.permanent, found.reason) == (True, reason)
    assert found.message.startswith("https://sts.example.com refused; ")
    assert found.message.endswith("(spec.access.exchange)")


def test_a_provider_that_is_away_is_asked_again():
    found = explain_exchange(ExchangeUnavailableError("https://sts.example.com does not answer"))
    assert (found.permanent, found.reason) == (False, "ExchangeUnavailable")
    assert "kraut goes on trying" in found.message
