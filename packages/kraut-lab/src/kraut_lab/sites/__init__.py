"""Several clusters that trust each other: a control plane and a kraut-oidc-proxy each, Dex and Keycloak between them."""

from kraut_lab.sites.federation import Federation
from kraut_lab.sites.site import Site

__all__ = ["Federation", "Site"]
