"""One fault, and all kinds of them (pure)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

Seat = Literal["operator", "worker", "temporal", "apiserver", "network", "power", "person", "repository"]
"""What a fault takes hold of; of one seat (of a host, if it is a host's) there is at most one fault at a time."""

OF_HOSTS: Final[frozenset[Seat]] = frozenset({"network", "power", "person"})
REPLICAS: Final = ("a", "b")
"""Operators and workers come in pairs, so that one takes over from the other."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: how often it is drawn relative to others, and how long it lasts."""

    name: str
    seat: Seat
    weight: int
    seconds: tuple[float, float] = (0.0, 0.0)


KINDS: Final = (
    Kind("worker-kill", "worker", 3),
    Kind("worker-stop", "worker", 2, (1, 50)),
    Kind("operator-kill", "operator", 2),
    Kind("operator-stop", "operator", 2, (1, 40)),
    Kind("temporal-kill", "temporal", 1, (0, 15)),
    Kind("apiserver-kill", "apiserver", 1, (0, 12)),
    Kind("apiserver-stop", "apiserver", 1, (1, 15)),
    Kind("network-drop", "network", 3, (1, 60)),
    Kind("network-reset", "network", 2, (1, 30)),
    Kind("network-loss", "network", 2, (5, 40)),
    Kind("power-off", "power", 2, (2, 40)),
    Kind("power-reset", "power", 2),
    Kind("reboot-by-hand", "power", 1),
    Kind("pause", "person", 2, (1, 20)),
    Kind("updates-off", "person", 2, (1, 20)),
    Kind("recreate", "person", 2),
    Kind("request", "person", 2),
    Kind("publish", "repository", 14),
    Kind("repository-down", "repository", 1, (1, 20)),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a schedule. ``number`` names it for ``--faults``."""

    number: int
    kind: str
    target: str
    """``a`` or ``b`` of operators and workers, the index of a host, the package of a publication, else empty."""
    at: float
    """Seconds after the beginning."""
    seconds: float = 0.0
    """How long it lasts; 0 for what happens at once."""

    def describe(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.number}: {self.at:.1f} s {self.kind} {self.target}{lasting}".replace("  ", " ")
