"""Whom a site trusts: entries of its AuthenticationConfiguration (pure).

Whoever comes is ``kraut:<cluster>:<sub>`` in the group ``kraut:<cluster>``, whichever way the token took: the same RBAC decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kraut_core.identity.authentication import (
    Issuer,
    build_configuration,
    trust_cluster,
    trust_keycloak,
    trust_provider,
)

Authenticator = dict[str, Any]


def authentication_configuration(authenticators: Sequence[Authenticator]) -> dict[str, Any]:
    """The whole document, for ``--authentication-config``."""
    return build_configuration(authenticators)


def direct(source: str, *, issuer: str, audience: str, ca: str) -> Authenticator:
    """Service accounts of cluster ``source`` with tokens of its own issuer. ``ca``: PEM."""
    return trust_cluster(Issuer(url=issuer, audience=audience, ca=ca), source)


def through_dex(sources: Sequence[str], *, issuer: str, audience: str, ca: str) -> Authenticator:
    """Service accounts of ``sources`` with tokens that Dex gave for theirs; connectors are named as the clusters."""
    return trust_provider(Issuer(url=issuer, audience=audience, ca=ca), sources)


def through_keycloak(sources: Sequence[str], *, issuer: str, audience: str, ca: str) -> Authenticator:
    """Service accounts of ``sources`` that were Keycloak's clients by their own tokens."""
    return trust_keycloak(Issuer(url=issuer, audience=audience, ca=ca), sources)
