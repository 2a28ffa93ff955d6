"""Keycloak's realms as its import reads them (pure): who may get tokens there, and by what.

In `REALM` a service account is a client that authenticates with its own token; in `GRANT_REALM` it is a user, and a client shows
Keycloak its token as a grant. They are two, since Keycloak 26.5 finds an identity provider by the issuer of a token and takes the
first: one issuer cannot be of type ``kubernetes`` and of type ``jwt-authorization-grant`` in the same realm.
https://www.keycloak.org/securing-apps/jwt-authorization-grant
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

REALM: Final = "kraut"
GRANT_REALM: Final = "kraut-grant"
TOKEN_SECONDS: Final = 600
"""How long what Keycloak gives is good."""
MAX_ASSERTION_SECONDS: Final = 3600
"""Keycloak's own 300 s are less than any service account token lives."""

Document = dict[str, Any]


@dataclass(frozen=True)
class Account:
    """A service account of a cluster that may get tokens. ``jwks_url`` is where the cluster's keys are."""

    cluster: str
    issuer: str
    subject: str
    jwks_url: str = ""

    @property
    def client(self) -> str:
        """The client's id in `REALM`, and the user's name in `GRANT_REALM`: ``<cluster>:<sub>``."""
        return f"{self.cluster}:{self.subject}"


def assertion_realm(
    accounts: Sequence[Account], audiences: Sequence[str], keys: Mapping[str, Mapping[str, Any]]
) -> Document:
    """`REALM`. ``audiences`` are optional scopes, each adds the audience of its name; ``keys``: a public JWK by client id."""
    clusters = {account.cluster: account.issuer for account in accounts}
    clients = [_federated(account) for account in accounts]
    clients += [_keyed(name, key) | {"serviceAccountsEnabled": True} for name, key in keys.items()]
    providers = [_provider(name, "kubernetes", {"issuer": issuer}) for name, issuer in clusters.items()]
    return _realm(REALM, providers, audiences, clients)


def grant_realm(
    accounts: Sequence[Account], audiences: Sequence[str], keys: Mapping[str, Mapping[str, Any]]
) -> Document:
    """`GRANT_REALM`: users linked to service accounts, and the clients of ``keys`` that may show their tokens."""
    clusters = {account.cluster: account for account in accounts}
    grant = {"oauth2.jwt.authorization.grant.enabled": "true"}
    grant["oauth2.jwt.authorization.grant.idp"] = "##".join(clusters)
    clients = [_keyed(name, key) for name, key in keys.items()]
    for client in clients:
        client["attributes"] |= grant
        client["protocolMappers"] = [_NAME]
    providers = [
        _provider(name, "jwt-authorization-grant", _grant_config(account)) for name, account in clusters.items()
    ]
    return _realm(GRANT_REALM, providers, audiences, clients) | {"users": [_user(account) for account in accounts]}


def _realm(name: str, providers: Iterable[Document], audiences: Iterable[str], clients: Iterable[Document]) -> Document:
    scopes = tuple(audiences)
    return {
        "realm": name,
        "enabled": True,
        "accessTokenLifespan": TOKEN_SECONDS,
        "identityProviders": list(providers),
        "clientScopes": [_audience_scope(audience) for audience in scopes],
        # None of Keycloak's default scopes: `roles` alone would add the audience `account`.
        "clients": [{**client, "defaultClientScopes": [], "optionalClientScopes": list(scopes)} for client in clients],
    }


def _provider(alias: str, kind: str, config: Mapping[str, str]) -> Document:
    return {"alias": alias, "providerId": kind, "enabled": True, "config": dict(config)}


def _grant_config(account: Account) -> dict[str, str]:
    return {
        "issuer": account.issuer,
        "jwksUrl": account.jwks_url,
        "useJwksUrl": "true",
        "jwtAuthorizationGrantEnabled": "true",
        # A service account token is shown as often as its holder needs another token.
        "jwtAuthorizationGrantAssertionReuseAllowed": "true",
        "jwtAuthorizationGrantMaxAllowedAssertionExpiration": str(MAX_ASSERTION_SECONDS),
    }


def _client(name: str, authenticator: str, attributes: Mapping[str, str]) -> Document:
    return {
        "clientId": name,
        "enabled": True,
        "publicClient": False,
        "standardFlowEnabled": False,
        "clientAuthenticatorType": authenticator,
        "attributes": {"standard.token.exchange.enabled": "true", **attributes},
    }


def _federated(account: Account) -> Document:
    named = {"jwt.credential.issuer": account.cluster, "jwt.credential.sub": account.subject}
    return _client(account.client, "federated-jwt", named) | {"serviceAccountsEnabled": True}


def _keyed(name: str, key: Mapping[str, Any]) -> Document:
    attributes = {"use.jwks.string": "true", "jwks.string": json.dumps({"keys": [key]})}
    return _client(name, "client-jwt", attributes)


def _user(account: Account) -> Document:
    link = {"identityProvider": account.cluster, "userId": account.subject, "userName": account.subject}
    return {"username": account.client, "enabled": True, "federatedIdentities": [link]}


_NAME: Final = {
    "name": "name",
    "protocol": "openid-connect",
    "protocolMapper": "oidc-usermodel-attribute-mapper",
    "config": {"user.attribute": "username", "claim.name": "preferred_username", "access.token.claim": "true"},
}


def _audience_scope(audience: str) -> Document:
    return {
        "name": audience,
        "protocol": "openid-connect",
        "attributes": {"include.in.token.scope": "true"},
        "protocolMappers": [
            {
                "name": "audience",
                "protocol": "openid-connect",
                "protocolMapper": "oidc-audience-mapper",
                "config": {"included.custom.audience": audience, "access.token.claim": "true"},
            }
        ],
    }
