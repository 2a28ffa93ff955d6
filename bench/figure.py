"""What a figure is: a question, contenders, and what is aimed at."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bench.sample import Samples
from bench.stage import Stage

NAMES = ("sync", "sync-50k", "restart", "burst", "latency", "facts", "updates", "failover", "idle", "jwks", "exchange")
"""In the order in which they are run."""


@dataclass(frozen=True, slots=True)
class Aim:
    """``metric`` of ``contender`` is to be ``sign`` (``<=`` or ``>=``) ``bound``: times that of ``peer``, or by itself without one."""

    contender: str
    metric: str
    bound: float
    peer: str = ""
    sign: Literal["<=", ">="] = "<="


@dataclass(frozen=True, slots=True)
class Figure:
    """``title`` says in a sentence what is measured; ``size`` and ``rounds`` are the defaults, ``size_of`` what is counted."""

    title: str
    size: int
    size_of: str
    measure: Callable[[Stage], Samples]
    aims: tuple[Aim, ...] = ()
    rounds: int = 5


def find(name: str) -> Figure:
    """The figure of a name. Raises KeyError for an unknown one."""
    if name not in NAMES:
        raise KeyError(f"there is no figure {name!r}; there are {', '.join(NAMES)}")
    module = importlib.import_module(f"bench.figures.{name.replace('-', '_')}")
    figure: Figure = module.FIGURE
    return figure
