"""Metrics: registries of their own and the buckets."""

import pytest
from prometheus_client import generate_latest

from kraut_core.metrics import QUEUE_BUCKETS, exponential_buckets, new_registry


def test_buckets_grow_by_their_factor():
    assert exponential_buckets(1, 10, 3) == (1, 10, 100)
    assert QUEUE_BUCKETS[-1] == pytest.approx(1000)


@pytest.mark.parametrize("arguments", [(0, 10, 3), (1, 1, 3), (1, 10, 0)])
def test_buckets_that_cannot_be_are_refused(arguments):
    with pytest.raises(ValueError, match="found"):
        exponential_buckets(*arguments)


def test_two_registries_live_in_one_process():
    first, second = (new_registry(component=name, version="1.2.3") for name in ("operator", "worker"))
    assert b'kraut_build_info{component="operator",version="1.2.3"} 1.0' in generate_latest(first)
    assert b'component="operator"' not in generate_latest(second)
    assert b"process_resident_memory_bytes" in generate_latest(second)
