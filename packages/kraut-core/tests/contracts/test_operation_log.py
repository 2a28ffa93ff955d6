import re

import pytest

from kraut_core.contracts.operation_log import operation_log_labels, operation_log_name, operation_log_selector

OPERATION = "3f2a9c1e-6f0b-4c61-9a53-0c7f0a5d7f11"
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

LONG = "rack-7.row-12." + "a" * 48 + "." + "b" * 190


@pytest.mark.parametrize(
    "name",
    ["web1", "a", "web1.example.com", "x" * 63, "x" * 64, LONG, "a" * 53 + ".b" + "c" * 20, "a" * 53 + "-" + "c" * 20],
)
def test_a_log_can_be_written_for_every_name_an_object_may_have(name: str) -> None:
    labels = operation_log_labels("Host", name, OPERATION)
    assert all(LABEL_VALUE.fullmatch(value) for value in labels.values()), labels
    log = operation_log_name(name, OPERATION)
    assert OBJECT_NAME.fullmatch(log)
    assert len(log) <= 253
    assert operation_log_selector("Host", name) == f"kraut.dev/kind=Host,kraut.dev/name={labels['kraut.dev/name']}"


def test_names_that_differ_only_at_their_end_do_not_share_a_log() -> None:
    first, second = "x" * 252 + "1", "x" * 252 + "2"
    assert operation_log_name(first, OPERATION) != operation_log_name(second, OPERATION)
    assert operation_log_selector("Host", first) != operation_log_selector("Host", second)


def test_the_name_of_a_short_one_is_readable() -> None:
    assert operation_log_name("web1", OPERATION) == "web1-operation-3f2a9c1e"
