"""The scanner finds what it is to find, in whatever clothes, and nothing else."""

import base64
import json
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kraut_lab.leaks.scanner import WINDOW, Scanner

SECRET = secrets.token_bytes(100)
TEXT = f'{secrets.token_urlsafe(40)}"\\<é\n{secrets.token_urlsafe(40)}'

CLOTHES = {
    "raw": lambda part: part,
    "hex": lambda part: part.hex().encode(),
    "HEX": lambda part: part.hex().upper().encode(),
    "base64": base64.b64encode,
    "base64url": base64.urlsafe_b64encode,
}


@given(start=st.integers(0, len(SECRET) - WINDOW), before=st.binary(max_size=40), after=st.binary(max_size=40))
@pytest.mark.parametrize("encoding", CLOTHES)
def test_any_window_is_found_anywhere(encoding, start, before, after):
    leaked = CLOTHES[encoding](SECRET[start : start + WINDOW])
    found = Scanner({"key": SECRET}).scan(before + leaked + after)
    assert {leak.secret for leak in found} == {"key"}
    assert encoding in {leak.encoding for leak in found}


@given(before=st.binary(max_size=5))
def test_base64_of_something_that_holds_a_window(before):
    leaked = base64.b64encode(before + SECRET[30 : 30 + WINDOW] + b"}")
    assert [leak.secret for leak in Scanner({"key": SECRET}).scan(leaked)][:1] == ["key"]


@pytest.mark.parametrize(
    "leaked",
    [
        json.dumps({"password": TEXT}).encode(),
        json.dumps(json.dumps({"password": TEXT})).encode(),
        TEXT.encode("utf-16-le"),
        b"x" + TEXT.encode("utf-16-be"),
    ],
)
def test_texts_are_found_escaped_and_in_utf_16(leaked):
    assert Scanner({"password": TEXT.encode()}).scan(leaked) != []


@given(data=st.binary(max_size=500), length=st.integers(1, WINDOW - 4), start=st.integers(0, 80))
def test_shorter_pieces_and_other_bytes_are_nothing(data, length, start):
    assert Scanner({"key": SECRET}).scan(data + SECRET[start : start + length]) == []


def test_across_the_pieces_that_are_read_at_once():
    for before in range((1 << 22) - 20, (1 << 22) + 4):
        data = bytes(before) + SECRET[10 : 10 + WINDOW] + bytes(50)
        assert [leak.offset for leak in Scanner({"key": SECRET}).scan(data)] == [before]


def test_what_all_keys_of_a_format_share_is_no_leak():
    header = b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMw\n"
    scanner = Scanner({"key": header + SECRET}, common=[header])
    assert scanner.scan(header) == []
    assert scanner.scan(header + SECRET[:5]) == []
    assert scanner.scan(header + SECRET[:WINDOW]) != []
    assert scanner.scan(SECRET) != []


def test_a_leak_does_not_show_what_it_is():
    (leak,) = Scanner({"key": SECRET}).scan(SECRET)
    assert repr(SECRET[:8])[2:-1] not in repr(leak)


def test_a_secret_that_is_too_short_to_be_told_apart_is_refused():
    with pytest.raises(ValueError, match="16 bytes"):
        Scanner({"pin": b"1234"})
