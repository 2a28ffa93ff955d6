"""Reads the keys of a trusted issuer: its discovery document, then the JWKS that it names."""

from kraut_core.identity.adapters.http import SafeHttp
from kraut_core.identity.discovery import parse_discovery
from kraut_core.identity.issuers import TrustedIssuer

MAX_DISCOVERY_BYTES = 64 * 1024


async def fetch_keys(issuer: TrustedIssuer) -> bytes:
    """The issuer's JWKS, unread; a ``Fetch`` for ``KeyCache``.

    Raises UntrustedUrlError, IssuerDocumentError, CredentialError (the CA file), UnreachableError.
    """
    async with SafeHttp(networks=issuer.networks, ca_file=issuer.ca_file) as http:
        document = await http.get(issuer.document_url, max_bytes=MAX_DISCOVERY_BYTES)
        return await http.get(parse_discovery(document, issuer.url).jwks_uri)
