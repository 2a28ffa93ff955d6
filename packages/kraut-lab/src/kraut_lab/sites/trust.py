"""The AuthenticationConfiguration of a cluster that trusts others (pure).

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#using-authentication-configuration. Whoever comes is
``kraut:<cluster>:<sub>`` in the group ``kraut:<cluster>``, whichever way the token took: the same RBAC decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

MAX_TOKEN_SECONDS: Final = 3600

Authenticator = dict[str, Any]


def authentication_configuration(authenticators: Sequence[Authenticator]) -> dict[str, Any]:
    """The whole document, for ``--authentication-config``."""
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": list(authenticators),
    }


def direct(source: str, *, issuer: str, audience: str, ca: str) -> Authenticator:
    """Service accounts of cluster ``source`` with tokens of its own issuer. ``ca``: PEM."""
    lifetime = f"claims.exp - claims.iat <= {MAX_TOKEN_SECONDS}"
    return _authenticator(
        issuer,
        audience,
        ca,
        rules=[{"expression": lifetime, "message": "a token lives an hour at most"}],
        username=f"'kraut:{source}:' + claims.sub",
        groups=f"['kraut:{source}']",
    )


def through_dex(sources: Sequence[str], *, issuer: str, audience: str, ca: str) -> Authenticator:
    """Service accounts of ``sources`` with tokens that Dex gave for theirs; connectors are named as the clusters.

    ``preferred_username`` is the subject of the exchanged token (`kraut_lab.dex`).
    """
    connector = "claims.?federated_claims.connector_id.orValue('')"
    return _authenticator(
        issuer,
        audience,
        ca,
        rules=[{"expression": f"{connector} in {_list(sources)}", "message": "not of a trusted cluster"}],
        username=f"'kraut:' + {connector} + ':' + claims.preferred_username",
        groups=f"['kraut:' + {connector}]",
    )


def through_keycloak(*, issuer: str, audience: str, ca: str) -> Authenticator:
    """Users of a Keycloak realm, which are service accounts linked to an identity provider ``<cluster>``.

    Their names are ``<cluster>:<sub>`` (`kraut_lab.keycloak`), and ``azp`` tells the client that asked.
    """
    return _authenticator(
        issuer,
        audience,
        ca,
        rules=[{"claim": "azp", "requiredValue": "kraut"}],
        username="'kraut:' + claims.preferred_username",
        groups="['kraut:' + claims.preferred_username.split(':')[0]]",
    )


def _authenticator(
    issuer: str, audience: str, ca: str, *, rules: list[dict[str, str]], username: str, groups: str
) -> Authenticator:
    return {
        "issuer": {"url": issuer, "audiences": [audience], "certificateAuthority": ca},
        "claimValidationRules": rules,
        "claimMappings": {"username": {"expression": username}, "groups": {"expression": groups}},
        "userValidationRules": [
            {"expression": "!user.username.startsWith('system:')", "message": "reserved"},
            {"expression": "user.groups.all(group, !group.startsWith('system:'))", "message": "reserved"},
        ],
    }


def _list(names: Sequence[str]) -> str:
    return "[" + ", ".join(f"'{name}'" for name in names) + "]"
