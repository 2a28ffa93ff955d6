"""Settings that would let two operators lead are refused."""

import pytest

from kraut_core.settings import SettingsError, load_settings
from kraut_operator.settings import OperatorProcessSettings


@pytest.mark.parametrize(("lease", "renew", "retry"), [("15", "15", "2"), ("15", "20", "2")])
def test_times_of_the_lease_that_allow_two_leaders_are_refused(
    monkeypatch: pytest.MonkeyPatch, lease: str, renew: str, retry: str
) -> None:
    monkeypatch.setenv("KRAUT_OPERATOR_LEASE_SECONDS", lease)
    monkeypatch.setenv("KRAUT_OPERATOR_RENEW_SECONDS", renew)
    monkeypatch.setenv("KRAUT_OPERATOR_RETRY_SECONDS", retry)
    with pytest.raises(SettingsError, match=r"LEASE_SECONDS, found .* two leaders"):
        load_settings(OperatorProcessSettings)


@pytest.mark.parametrize(
    ("lease", "renew", "retry"), [("15", "5", "5"), ("11", "10", "9"), ("4", "3", "2"), ("3", "2", "1")]
)
def test_times_of_the_lease_that_let_a_healthy_leader_end_are_refused(
    monkeypatch: pytest.MonkeyPatch, lease: str, renew: str, retry: str
) -> None:
    """A pause, stretched by its jitter, and an attempt after it must fit into the time to renew."""
    monkeypatch.setenv("KRAUT_OPERATOR_LEASE_SECONDS", lease)
    monkeypatch.setenv("KRAUT_OPERATOR_RENEW_SECONDS", renew)
    monkeypatch.setenv("KRAUT_OPERATOR_RETRY_SECONDS", retry)
    with pytest.raises(SettingsError, match=rf"RETRY_SECONDS .* found {retry} and {renew}"):
        load_settings(OperatorProcessSettings)


@pytest.mark.parametrize(("lease", "renew", "retry"), [("15", "10", "2"), ("4", "3", "1"), ("600", "590", "60")])
def test_times_of_the_lease_that_work_are_taken(
    monkeypatch: pytest.MonkeyPatch, lease: str, renew: str, retry: str
) -> None:
    monkeypatch.setenv("KRAUT_OPERATOR_LEASE_SECONDS", lease)
    monkeypatch.setenv("KRAUT_OPERATOR_RENEW_SECONDS", renew)
    monkeypatch.setenv("KRAUT_OPERATOR_RETRY_SECONDS", retry)
    assert load_settings(OperatorProcessSettings).operator.retry_seconds == int(retry)
