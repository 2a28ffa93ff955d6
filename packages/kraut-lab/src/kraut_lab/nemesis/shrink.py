"""Fewer faults that still show a violation (pure, but for what it is given to try)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def shrink(faults: Sequence[T], shows: Callable[[Sequence[T]], bool]) -> list[T]:
    """A part of ``faults`` for which ``shows`` is true and, taken away any one of them, was false when tried.

    Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", ddmin over complements: what a fault needs
    of others may be gone with them, and a race may not show each time, so a part is kept only when it was seen to show it.
    """
    kept = list(faults)
    pieces = 2
    while kept:
        size = max(1, -(-len(kept) // pieces))
        smaller = next((rest for rest in _without_a_piece(kept, size) if shows(rest)), None)
        if smaller is not None:
            kept, pieces = smaller, max(2, pieces - 1)
        elif size == 1:
            break
        else:
            pieces = min(len(kept), pieces * 2)
    return kept


def _without_a_piece(kept: list[T], size: int) -> list[list[T]]:
    return [kept[:start] + kept[start + size :] for start in range(0, len(kept), size)]
