"""Find secrets, or 16 bytes in a row of them, in bytes of any kind (pure): raw, base64, hex, JSON-escaped, UTF-16."""

from __future__ import annotations

import base64
import json
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

WINDOW: Final = 16
"""So many bytes of a secret in a row are a leak."""

_BLOCK: Final = 8
_PIECE: Final = 1 << 22


@dataclass(frozen=True, order=True)
class Leak:
    """Where a secret was found; never what it is."""

    secret: str
    encoding: str
    offset: int


@dataclass(frozen=True)
class _Text:
    """One secret in one encoding; ``least`` consecutive bytes of it are what 16 of the secret become at the least."""

    secret: str
    encoding: str
    content: bytes
    least: int


class Scanner:
    """Looks for some secrets at once; the time taken hardly depends on how many they are."""

    def __init__(self, secrets: Mapping[str, bytes], *, common: Sequence[bytes] = ()) -> None:
        """Args:
        secrets: what is searched for, each at least 16 bytes long, by the name that a `Leak` shows.
        common: texts that share their structure with secrets and are none, e.g. another key of the same format.
        """
        for name, secret in secrets.items():
            if len(secret) < WINDOW:
                raise ValueError(f"A secret to search for has {WINDOW} bytes or more, {name} has {len(secret)}.")
        self._known = [text.content for sample in common for text in _encoded("", sample)]
        # Any `least` bytes in a row hold one whole block of those that begin at every (least - 7)th byte.
        self._blocks: dict[int, list[tuple[_Text, int]]] = {}
        for text in (text for name, secret in secrets.items() for text in _encoded(name, secret)):
            for start in range(0, len(text.content) - _BLOCK + 1, text.least - _BLOCK + 1):
                block = text.content[start : start + _BLOCK]
                if not any(block in sample for sample in self._known):
                    self._blocks.setdefault(int.from_bytes(block, sys.byteorder), []).append((text, start))

    def scan(self, data: bytes) -> list[Leak]:
        """Every secret found, once per encoding, with the first place."""
        found: dict[tuple[str, str], Leak] = {}
        for base in range(0, len(data), _PIECE):
            piece = data[base : base + _PIECE + 2 * _BLOCK]
            for number in self._candidates(piece):
                for leak in self._verified(data, base, piece, number):
                    found.setdefault((leak.secret, leak.encoding), leak)
        return sorted(found.values())

    def _candidates(self, piece: bytes) -> set[int]:
        wanted = self._blocks.keys()
        candidates: set[int] = set()
        for shift in range(_BLOCK):
            words = array("Q")
            words.frombytes(piece[shift : shift + (len(piece) - shift) // _BLOCK * _BLOCK])
            candidates |= wanted & set(words)
        return candidates

    def _verified(self, data: bytes, base: int, piece: bytes, number: int) -> Iterator[Leak]:
        block = number.to_bytes(_BLOCK, sys.byteorder)
        at = piece.find(block)
        while at >= 0:
            for text, start in self._blocks[number]:
                first, length = _extent(data, base + at, text.content, start)
                run = data[first : first + length]
                if length >= text.least and len(self._stripped(run)) >= _BLOCK:
                    yield Leak(text.secret, text.encoding, first)
            at = piece.find(block, at + 1)

    def _stripped(self, run: bytes) -> bytes:
        """Without the beginning that texts without secrets have too: what follows it may agree by chance."""
        for length in range(len(run), 0, -1):
            if any(run[:length] in sample for sample in self._known):
                return run[length:]
        return run


def _extent(data: bytes, at: int, text: bytes, start: int) -> tuple[int, int]:
    """Offset and length of the longest common run around a block that both share."""
    before = 0
    while before < min(at, start) and data[at - before - 1] == text[start - before - 1]:
        before += 1
    length = _BLOCK
    while at + length < len(data) and start + length < len(text) and data[at + length] == text[start + length]:
        length += 1
    return at - before, before + length


def _encoded(name: str, secret: bytes) -> Iterator[_Text]:
    yield _Text(name, "raw", secret, WINDOW)
    yield _Text(name, "hex", secret.hex().encode(), 2 * WINDOW)
    yield _Text(name, "HEX", secret.hex().upper().encode(), 2 * WINDOW)
    for skipped in range(3):
        # Its place among groups of three decides what a byte becomes; four groups of any 16 bytes are whole.
        shifted = secret[skipped:]
        whole = shifted[: len(shifted) // 3 * 3]
        yield _Text(name, "base64", base64.b64encode(whole), WINDOW)
        yield _Text(name, "base64url", base64.urlsafe_b64encode(whole), WINDOW)
    try:
        plain = secret.decode()
    except UnicodeDecodeError:
        return
    yield _Text(name, "utf-16-le", plain.encode("utf-16-le"), 2 * WINDOW)
    yield _Text(name, "utf-16-be", plain.encode("utf-16-be"), 2 * WINDOW)
    yield _Text(name, "json", json.dumps(plain)[1:-1].encode(), WINDOW)
    yield _Text(name, "json in json", json.dumps(json.dumps(plain)[1:-1])[1:-1].encode(), WINDOW)
