"""Everything that the judge looks at, gathered before it judges."""

from dataclasses import dataclass, field

from kraut_core.errors import KrautError
from kraut_core.identity.adapters.published import Published
from kraut_core.identity.compact import UnverifiedToken


@dataclass(frozen=True, slots=True)
class Source:
    """The cluster whose issuer it is, seen from inside. ``keys``: ids that its API server publishes now."""

    issuer: str | None = None
    keys: frozenset[str] | None = None
    error: KrautError | None = None


@dataclass(frozen=True, slots=True)
class LiveToken:
    """A token that the issuer signed; ``refused``: why it does not verify with what is published.

    ``received_at``: this machine's time when the API server had just signed it; None for one that is older, of a file.
    """

    token: UnverifiedToken | None = None
    error: KrautError | None = None
    refused: KrautError | None = None
    received_at: float | None = None


@dataclass(frozen=True, slots=True)
class Presented:
    """What a party made of a live token: ``user`` is who it took the bearer for, or ``error`` why it did not."""

    where: str
    user: str = ""
    groups: tuple[str, ...] = ()
    error: KrautError | None = None


@dataclass(frozen=True, slots=True)
class Observations:
    """All of it, at ``now`` (seconds since 1970, this machine's clock)."""

    issuer: str
    now: float
    published: Published
    source: Source | None = None
    live: LiveToken | None = None
    provider: Presented | None = None
    targets: tuple[Presented, ...] = field(default_factory=tuple)
