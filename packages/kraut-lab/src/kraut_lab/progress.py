"""How the lab says what it is doing: one sentence at a time, to whoever listens."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str], None]
"""Receives short texts such as ``building kube-apiserver v1.37.2``; called from any thread."""


def silent(_: str) -> None:
    """The default: say nothing."""
