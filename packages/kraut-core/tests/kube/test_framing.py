"""Lines come out whole, however the network cut them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraut_core.errors import ApiServerError
from kraut_core.kube.framing import LineSplitter

LINES = st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=8)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(lines=LINES, tail=st.binary(max_size=20), places=st.lists(st.integers(min_value=0, max_value=400), max_size=12))
def test_any_chunking_gives_the_same_lines(lines: list[bytes], tail: bytes, places: list[int]) -> None:
    unfinished = tail.replace(b"\n", b"")
    data = b"".join(line + b"\n" for line in lines) + unfinished
    splitter = LineSplitter()
    found = [line for chunk in cut(data, places) for line in splitter.feed(chunk)]
    assert found == [line for line in lines if line]
    assert splitter.pending == len(unfinished)


def test_a_line_without_end_is_refused_before_it_fills_the_memory() -> None:
    splitter = LineSplitter(limit=100)
    splitter.feed(b"x" * 60)
    with pytest.raises(ApiServerError, match="at most 100 bytes"):
        splitter.feed(b"x" * 60)


def test_long_lines_below_the_limit_pass() -> None:
    splitter = LineSplitter(limit=100)
    splitter.feed(b"x" * 60)
    assert splitter.feed(b"y" * 30 + b"\n" + b"z" * 90) == [b"x" * 60 + b"y" * 30]
    assert splitter.pending == 90
