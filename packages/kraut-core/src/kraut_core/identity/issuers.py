"""Whom to trust for what: the issuers of a configuration (pure). Nothing else is ever asked for keys."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from kraut_core.errors import InvalidSpecError
from kraut_core.identity.errors import UntrustedUrlError
from kraut_core.identity.jwks import RSA_ALGORITHMS
from kraut_core.identity.urls import Network, check_url

VERIFIABLE: Final = frozenset({*RSA_ALGORITHMS, "ES256", "ES384", "ES512"})
KUBERNETES_ALGORITHMS: Final = ("RS256", "ES256", "ES384", "ES512")
"""What kube-apiserver signs service account tokens with, by its key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedIssuer:
    """One issuer and the rules for its tokens.

    ``url`` is compared byte for byte with ``iss``; ``audiences`` are those of which a token must have exactly one
    (``several_audiences``: at least one). Seconds: ``max_lifetime_seconds`` bounds exp - iat, ``leeway_seconds`` is the skew
    of clocks. ``types`` are accepted values of the header ``typ`` (a token without it is accepted). ``discovery_url`` only says
    where to read the document; ``networks`` are addresses to allow although they are blocked by default (loopback, link-local).
    """

    url: str
    audiences: frozenset[str]
    algorithms: tuple[str, ...] = KUBERNETES_ALGORITHMS
    several_audiences: bool = False
    max_lifetime_seconds: int = 3600
    leeway_seconds: int = 60
    types: frozenset[str] = frozenset({"jwt"})
    discovery_url: str | None = None
    ca_file: Path | None = None
    networks: tuple[Network, ...] = ()

    def __post_init__(self) -> None:
        """Raises InvalidSpecError for an issuer that cannot be, or that would accept too much."""
        try:
            check_url(self.url)
            check_url(self.document_url)
        except UntrustedUrlError as error:
            raise InvalidSpecError(f"issuer {self.url!r}: {error}") from None
        if not self.audiences or not all(self.audiences):
            raise InvalidSpecError(
                f"issuer {self.url}: name the audience that its tokens must have; there is no default"
            )
        if not self.algorithms or not set(self.algorithms) <= VERIFIABLE:
            raise InvalidSpecError(f"issuer {self.url}: algorithms are some of {', '.join(sorted(VERIFIABLE))}")

    @property
    def document_url(self) -> str:
        """Where the discovery document is (OpenID Connect Discovery 1.0 section 4.1)."""
        return self.discovery_url or self.url.removesuffix("/") + "/.well-known/openid-configuration"


def by_url(issuers: Iterable[TrustedIssuer]) -> Mapping[str, TrustedIssuer]:
    """Issuers by their URL. Raises InvalidSpecError when one stands there twice: which rules would hold?"""
    found: dict[str, TrustedIssuer] = {}
    for issuer in issuers:
        if issuer.url in found:
            raise InvalidSpecError(f"issuer {issuer.url} is configured twice; give it one entry with all its audiences")
        found[issuer.url] = issuer
    return found


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """CIDRs such as ``127.0.0.0/8``. Raises InvalidSpecError."""
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError as error:
        raise InvalidSpecError(f"networks are written like 10.1.0.0/16: {error}") from None
