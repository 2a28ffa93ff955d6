"""Await a condition with a deadline: the lab never sleeps for a guessed time."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TypeVar

from kraut_lab.errors import WaitTimeoutError

T = TypeVar("T")


def wait_for(probe: Callable[[], T | None], what: str, *, timeout: float = 180.0, interval: float = 0.05) -> T:
    """Call ``probe`` until it returns something that is not None, and return that.

    Args:
        probe: returns None while the condition does not hold; what it raises is passed on at once.
        what: the condition in words, for the error ("kube-apiserver to answer /readyz").
        timeout: seconds until giving up.
        interval: seconds between two calls.

    Raises:
        WaitTimeoutError: the condition did not hold in time.
    """
    deadline = time.monotonic() + timeout
    while True:
        answer = probe()
        if answer is not None:
            return answer
        if time.monotonic() >= deadline:
            raise WaitTimeoutError(f"Waited {timeout:.0f} s for {what}, in vain.")
        time.sleep(interval)


def wait_until(probe: Callable[[], bool], what: str, *, timeout: float = 180.0, interval: float = 0.05) -> None:
    """Like `wait_for`, for a probe that answers True or False."""
    wait_for(lambda: True if probe() else None, what, timeout=timeout, interval=interval)


def accepts(address: str, port: int) -> bool:
    """Whether something accepts TCP connections there."""
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False
