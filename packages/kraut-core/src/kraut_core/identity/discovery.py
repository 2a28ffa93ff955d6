"""An issuer's discovery document (OpenID Connect Discovery 1.0, RFC 8414), of which little is believed (pure)."""

from dataclasses import dataclass
from typing import Any

from kraut_core.identity.errors import IssuerDocumentError
from kraut_core.identity.strictjson import parse_object
from kraut_core.identity.urls import check_url


@dataclass(frozen=True, slots=True)
class Discovery:
    """What kraut uses of it; both URLs are checked."""

    jwks_uri: str
    token_endpoint: str | None


def parse_discovery(body: bytes, issuer: str) -> Discovery:
    """Read the document of ``issuer``.

    Raises IssuerDocumentError when it is of another issuer (byte for byte) or none, UntrustedUrlError for a URL in it.
    """
    try:
        document = parse_object(body, "the discovery document")
    except ValueError as error:
        raise IssuerDocumentError(f"{issuer}: {error}") from None
    if document.get("issuer") != issuer:
        raise IssuerDocumentError(
            f"the document of {issuer} should name exactly this issuer, it names another one; correct the configuration or the issuer",
            reason="IssuerMismatch",
        )
    keys = _url(document, "jwks_uri", issuer)
    if keys is None:
        raise IssuerDocumentError(f"the document of {issuer} should have a `jwks_uri`")
    return Discovery(keys, _url(document, "token_endpoint", issuer))


def _url(document: dict[str, Any], name: str, issuer: str) -> str | None:
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise IssuerDocumentError(f"`{name}` of {issuer} should be a URL")
    return check_url(value)
