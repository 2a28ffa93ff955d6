"""kube-apiserver's AuthenticationConfiguration, by which a cluster trusts others: the same users as in ``users`` (pure).

Written for ``--authentication-config``; kube-apiserver reads the file again when it changes. One entry per issuer, one audience
per target. https://kubernetes.io/docs/reference/access-authn-authz/authentication/#using-authentication-configuration
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kraut_core.errors import InvalidSpecError
from kraut_core.identity.errors import UntrustedUrlError
from kraut_core.identity.urls import check_url
from kraut_core.identity.users import PREFIX, SUBJECT_PATTERN, check_cluster, cluster_group, user_prefix

GROUP: Final = "apiserver.config.k8s.io"
V1: Final = f"{GROUP}/v1"
"""Kubernetes 1.34 and newer."""
V1BETA1: Final = f"{GROUP}/v1beta1"
"""Kubernetes 1.30 and newer."""
KIND: Final = "AuthenticationConfiguration"
_VERSION: Final = re.compile(r"v?([0-9]{1,4})\.([0-9]{1,4})(?![0-9])")

DEX_CONNECTOR: Final = "claims.?federated_claims.?connector_id.orValue('')"
DEX_SUBJECT: Final = "claims.?preferred_username.orValue('')"

KEYCLOAK_CLIENT: Final = "azp"
"""Claim of Keycloak's tokens with the client that asked; a service account is a client ``<cluster>:<sub>``."""
KEYCLOAK_USER: Final = "preferred_username"
"""Claim with the user that Keycloak found for a grant; a service account is a user ``<cluster>:<sub>``."""

_ONE_AUDIENCE: Final = {
    "expression": "type(claims.aud) == string || size(claims.aud) == 1",
    "message": "a token for several audiences could be used by each of them; ask for one of a single audience",
}
_NEVER_SYSTEM: Final = [
    {
        "expression": "!user.username.startsWith('system:')",
        "message": "users of other clusters do not begin with system:",
    },
    {
        "expression": "user.groups.all(group, !group.startsWith('system:'))",
        "message": "groups of other clusters do not begin with system:",
    },
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Whose tokens are taken, for which audience. ``ca`` are PEM certificates (default: the system's), ``discovery_url`` says where
    the document is when that is not under ``url``; a token that lives longer than ``max_lifetime_seconds`` is refused.
    """

    url: str
    audience: str
    ca: str = ""
    discovery_url: str | None = None
    max_lifetime_seconds: int = 3600

    def __post_init__(self) -> None:
        """Raises InvalidSpecError for what kube-apiserver would not start with."""
        try:
            check_url(self.url)
            if self.discovery_url is not None:
                check_url(self.discovery_url)
        except UntrustedUrlError as error:
            raise InvalidSpecError(f"issuer {self.url!r}: {error}") from None
        if not self.audience:
            raise InvalidSpecError(
                f"issuer {self.url}: name the audience that its tokens must have; there is no default"
            )
        if self.discovery_url == self.url:
            raise InvalidSpecError(f"issuer {self.url}: leave the discovery URL out, it is the same")


def api_version_of(kubernetes: str) -> str:
    """The newest ``apiVersion`` that a kube-apiserver of this version (``v1.33.4``, ``1.33``) reads. Raises InvalidSpecError."""
    found = _VERSION.match(kubernetes)
    if found is None:
        raise InvalidSpecError(f"a version of Kubernetes should be written like 1.33 or v1.33.4, it is {kubernetes!r}")
    version = int(found[1]), int(found[2])
    if version < (1, 30):
        raise InvalidSpecError(
            f"an API server should be Kubernetes 1.30 or newer to trust an issuer by an {KIND}, this one is {kubernetes}: upgrade it, or reach "
            "the cluster by a kubeconfig"
        )
    return V1 if version >= (1, 34) else V1BETA1


def trust_cluster(issuer: Issuer, cluster: str) -> dict[str, Any]:
    """The entry of a cluster whose own tokens are taken (direct). Raises InvalidSpecError for a name that cannot be."""
    rules = [_is_service_account("claims.sub")]
    return _entry(issuer, rules, username=f"'{user_prefix(cluster)}' + claims.sub", group=f"'{cluster_group(cluster)}'")


def trust_provider(
    issuer: Issuer, clusters: Iterable[str], *, cluster: str = DEX_CONNECTOR, subject: str = DEX_SUBJECT
) -> dict[str, Any]:
    """The entry of a provider that exchanges the tokens of ``clusters`` (exchange).

    ``cluster`` and ``subject`` are CEL expressions of the provider's claims for the cluster's name and its ``sub``; the defaults
    are Dex's, whose connectors then have the names of the clusters. Raises InvalidSpecError for a name that cannot be, or none.
    """
    names = sorted({check_cluster(name) for name in clusters})
    if not names:
        raise InvalidSpecError(f"issuer {issuer.url}: name the clusters whose tokens it exchanges")
    known = exchanged_for(cluster, names)
    prefix = f"'{PREFIX}' + {cluster}"
    return _entry(issuer, [known, _is_service_account(subject)], username=f"{prefix} + ':' + {subject}", group=prefix)


def exchanged_for(cluster: str, names: Iterable[str]) -> dict[str, str]:
    """The rule that a provider's token was exchanged for one of the clusters ``names``; ``cluster`` is CEL as in `trust_provider`."""
    ordered = sorted(names)
    return {
        "expression": f"{cluster} in [{', '.join(repr(name) for name in ordered)}]",
        "message": f"not exchanged for a token of {' or '.join(ordered)}",
    }


def trust_keycloak(issuer: Issuer, clusters: Iterable[str], *, claim: str = KEYCLOAK_CLIENT) -> dict[str, Any]:
    """The entry of a Keycloak realm that knows service accounts of ``clusters`` as ``<cluster>:<sub>``, which stands in ``claim``.

    Raises InvalidSpecError for a name that cannot be, or none.
    """
    if not claim.isidentifier() or not claim.isascii():
        raise InvalidSpecError(f"claim {claim!r} should be a name such as {KEYCLOAK_CLIENT} or {KEYCLOAK_USER}")
    named = f"claims.?{claim}.orValue(':')"
    subject = f"{named}.substring({named}.indexOf(':') + 1)"
    return trust_provider(issuer, clusters, cluster=f"{named}.split(':')[0]", subject=subject)


def _is_service_account(subject: str) -> dict[str, str]:
    return {
        "expression": f"{subject}.matches('^{SUBJECT_PATTERN}$')",
        "message": "not the token of a service account",
    }


def _entry(issuer: Issuer, rules: list[dict[str, str]], *, username: str, group: str) -> dict[str, Any]:
    optional = {"discoveryURL": issuer.discovery_url, "certificateAuthority": issuer.ca}
    lifetime = {
        "expression": f"claims.exp - claims.iat <= {issuer.max_lifetime_seconds}",
        "message": f"a token lives {issuer.max_lifetime_seconds} s at most",
    }
    return {
        "issuer": {"url": issuer.url, "audiences": [issuer.audience]}
        | {name: value for name, value in optional.items() if value},
        "claimValidationRules": [_ONE_AUDIENCE, lifetime, *rules],
        "claimMappings": {"username": {"expression": username}, "groups": {"expression": f"[{group}]"}},
        "userValidationRules": list(_NEVER_SYSTEM),
    }


def build_configuration(
    entries: Iterable[Mapping[str, Any]], *, existing: Mapping[str, Any] | None = None, api_version: str = V1
) -> dict[str, Any]:
    """The document with these entries; those of ``existing`` with other issuers stay, in their order, with all else in it.

    ``api_version`` is for a new document. The same entries again change nothing. Raises InvalidSpecError when ``existing`` is
    another kind of document, or an issuer stands in ``entries`` twice (kube-apiserver would not start).
    """
    base = _check_existing(existing or {"apiVersion": api_version, "kind": KIND})
    new: dict[str, Any] = {}
    for entry in entries:
        if (url := issuer_url(entry)) in new:
            raise InvalidSpecError(f"issuer {url} stands there twice; kube-apiserver takes one entry per issuer")
        new[url] = dict(entry)
    kept = [new.pop(issuer_url(entry), entry) for entry in base.get("jwt") or ()]
    return base | {"jwt": [*kept, *new.values()]}


def _check_existing(document: Mapping[str, Any]) -> dict[str, Any]:
    version, entries = str(document.get("apiVersion", "")), document.get("jwt") or []
    if document.get("kind") != KIND or not version.startswith(f"{GROUP}/") or not isinstance(entries, list):
        raise InvalidSpecError(
            f"the document should be an {KIND} of {GROUP}, it is {document.get('kind')!r} of {version!r}; name the file of --authentication-config"
        )
    return dict(document)


def issuer_url(entry: Mapping[str, Any]) -> str:
    """The issuer of an entry; empty when it names none."""
    issuer = entry.get("issuer")
    return str(issuer.get("url", "")) if isinstance(issuer, Mapping) else ""
