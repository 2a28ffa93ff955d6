"""Keycloak, a real OpenID Connect provider that takes service account tokens by RFC 7523."""

from kraut_lab.keycloak.realms import GRANT_REALM, REALM, Account
from kraut_lab.keycloak.server import Keycloak

__all__ = ["GRANT_REALM", "REALM", "Account", "Keycloak"]
