"""Which issuers are published, and at which paths (pure).

An issuer is compared byte for byte everywhere (OpenID Connect Discovery 1.0 section 4.3), so it is never normalised here:
it is taken as it is or refused.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from kraut_core.identity.errors import UntrustedUrlError
from kraut_core.identity.urls import check_url
from kraut_core.settings import SettingsError

DISCOVERY_PATH: Final = "/.well-known/openid-configuration"
JWKS_PATH: Final = "/openid/v1/jwks"

_AUTHORITY: Final = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?|\[[0-9a-fA-F:]+\](:[0-9]{1,5})?"
)
_PATH: Final = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?")
_MEMBERS: Final = {"issuer", "kubeconfig", "context", "jwksUri", "apiServers"}


@dataclass(frozen=True, slots=True)
class Issuer:
    """One issuer: what is published under ``url``, and from where it is read."""

    url: str
    jwks_uri: str
    kubeconfig: str | None = None
    context: str | None = None
    api_servers: tuple[str, ...] = ()

    @property
    def prefix(self) -> str:
        """Path of the issuer, in front of both routes: empty, or ``/east``."""
        return urlsplit(self.url).path.removesuffix("/")


def make_issuer(
    url: str,
    *,
    jwks_uri: str | None = None,
    kubeconfig: str | None = None,
    context: str | None = None,
    api_servers: Sequence[str] = (),
) -> Issuer:
    """An issuer with the defaults filled in. Raises ValueError when a URL cannot be."""
    check_issuer(url)
    keys = check_jwks_uri(jwks_uri) if jwks_uri else url.removesuffix("/") + JWKS_PATH
    return Issuer(url, keys, kubeconfig, context, tuple(api_servers))


def check_issuer(url: str) -> str:
    """``url`` itself. Raises ValueError unless kube-apiserver and whoever verifies by kraut's rules take it: https, lower case, no user, query,
    fragment, or odd path.
    """
    return _check_url(url, "an issuer")


def check_jwks_uri(url: str) -> str:
    """``url`` itself. Raises ValueError unless it is https without user, query, fragment or odd path."""
    return _check_url(url, "the URL of the keys")


def _check_url(url: str, what: str) -> str:
    rest = url.removeprefix("https://")
    authority, slash, path = rest.partition("/")
    if rest == url or not _AUTHORITY.fullmatch(authority) or not _PATH.fullmatch(slash + path):
        raise ValueError(
            f"{what} should be https://host[:port][/path] without user, query, fragment, `..` or escapes, as "
            "--service-account-issuer of the API server has it; correct it"
        )
    try:
        return check_url(url)
    except UntrustedUrlError as error:
        raise ValueError(f"{what}, as --service-account-issuer of the API server has it: {error}") from None


def parse_servers(text: str) -> tuple[str, ...]:
    """URLs of API servers from a comma-separated list. Raises ValueError for one that is not ``https://host:port``."""
    servers = tuple(server.strip().removesuffix("/") for server in text.split(",") if server.strip())
    for server in servers:
        if not server.startswith("https://") or not _AUTHORITY.fullmatch(server.removeprefix("https://")):
            raise ValueError("API servers should be given as https://host:port, separated by commas")
    return servers


def parse_issuers(text: str) -> list[Issuer]:
    """The issuers of a file (KRAUT_OIDC_ISSUERS_FILE). Raises SettingsError."""
    try:
        entries = yaml.safe_load(text) or []
    except yaml.YAMLError:
        raise SettingsError("KRAUT_OIDC_ISSUERS_FILE: a YAML list is expected, the file is not YAML") from None
    if not isinstance(entries, list):
        raise SettingsError(f"KRAUT_OIDC_ISSUERS_FILE: a YAML list is expected, found a {type(entries).__name__}")
    try:
        return [_parse_entry(entry) for entry in entries]
    except ValueError as error:
        raise SettingsError(f"KRAUT_OIDC_ISSUERS_FILE: {error}") from None


def _parse_entry(entry: Any) -> Issuer:
    if not isinstance(entry, Mapping) or not set(entry) <= _MEMBERS or not {"issuer", "kubeconfig"} <= set(entry):
        raise ValueError("each entry should have `issuer` and `kubeconfig`, may have context, jwksUri, apiServers")
    return make_issuer(
        str(entry["issuer"]),
        jwks_uri=entry.get("jwksUri"),
        kubeconfig=str(entry["kubeconfig"]),
        context=entry.get("context"),
        api_servers=parse_servers(",".join(map(str, entry.get("apiServers") or []))),
    )


def check_prefixes(issuers: Sequence[Issuer]) -> None:
    """Raises SettingsError when two issuers would be served at the same path; the host of a request never decides."""
    prefixes = [issuer.prefix for issuer in issuers]
    for issuer in issuers:
        if prefixes.count(issuer.prefix) > 1:
            raise SettingsError(
                f"two issuers have the path `{issuer.prefix or '/'}`; give each its own, as in https://oidc.example.com/east"
            )
