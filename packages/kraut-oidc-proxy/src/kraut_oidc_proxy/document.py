"""What is read from an API server, and what is published for it: the discovery document and the JWKS (pure).

Nothing of the API server's answers is passed on as it came: the document is built from the configuration and the keys,
each key from its allow-listed members. Same keys, same bytes, same ETag, on every replica.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kraut_core.errors import PermanentError
from kraut_core.identity.jwks import PublicJwk
from kraut_core.identity.strictjson import parse_object

DISCOVERY_TYPE: Final = "application/json"
JWKS_TYPE: Final = "application/jwk-set+json"
MAX_DISCOVERY_BYTES: Final = 64 * 1024


class DiscoveryError(PermanentError):
    """The API server's discovery document cannot be read."""

    default_reason = "DiscoveryInvalid"


class IssuerMismatchError(PermanentError):
    """The API server issues tokens under another name than the one to publish."""

    default_reason = "IssuerMismatch"


@dataclass(frozen=True, slots=True)
class Document:
    """One answer: bytes, media type and strong ETag (RFC 9110 section 8.8.3)."""

    body: bytes
    media_type: str
    etag: str


@dataclass(frozen=True, slots=True)
class Published:
    """What the two routes of an issuer answer."""

    discovery: Document
    jwks: Document
    keys: tuple[PublicJwk, ...]


def check_discovery(body: bytes, issuer: str) -> None:
    """Compare the API server's issuer with the configured one, byte for byte.

    Raises IssuerMismatchError when it is another one, DiscoveryError when there is none to compare.
    """
    try:
        found = parse_object(body, "the discovery document").get("issuer")
    except ValueError as error:
        raise DiscoveryError(str(error)) from None
    if not isinstance(found, str):
        raise DiscoveryError("the discovery document should have an `issuer`")
    if found != issuer:
        raise IssuerMismatchError(
            f"the API server's issuer should be {issuer!r}, it is {found[:300]!r}: set KRAUT_OIDC_ISSUER, or the "
            "first --service-account-issuer of the API server, so that both are the same to the byte"
        )


def build_documents(issuer: str, jwks_uri: str, keys: Sequence[PublicJwk]) -> Published:
    """The answers for ``keys``, whatever their order; the members are those that kube-apiserver itself publishes."""
    ordered = tuple(sorted(keys, key=lambda key: key.kid))
    discovery = {
        "issuer": issuer,
        "jwks_uri": jwks_uri,
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": sorted({key.alg for key in ordered}),
    }
    return Published(
        _document(discovery, DISCOVERY_TYPE),
        _document({"keys": [key.as_dict() for key in ordered]}, JWKS_TYPE),
        ordered,
    )


def _document(content: Mapping[str, Any], media_type: str) -> Document:
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=True).encode()
    return Document(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
