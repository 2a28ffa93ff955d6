"""What an issuer publishes, as anybody sees it: for diagnosis, where headers, certificate and time matter too."""

import asyncio
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from kraut_core.errors import KrautError, UnreachableError
from kraut_core.identity.adapters.http import MAX_BYTES, Answer, SafeHttp
from kraut_core.identity.discovery import parse_discovery
from kraut_core.identity.issuers import TrustedIssuer
from kraut_core.identity.urls import check_address, check_url

TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Published:
    """``error``: why what comes after it is not there. ``not_after``: end of the server's certificate (UTC)."""

    document: Answer | None = None
    jwks_uri: str | None = None
    jwks: Answer | None = None
    not_after: datetime | None = None
    error: KrautError | None = None


class _Client(SafeHttp):
    async def answer(self, url: str) -> Answer:
        """Whatever is answered, redirects included. Raises UntrustedUrlError, UnreachableError."""
        return await self._send("GET", check_url(url), max_bytes=MAX_BYTES)


async def read_published(issuer: TrustedIssuer) -> Published:
    """Read discovery document, keys and certificate; never raises KrautError, what went wrong is in ``error``."""
    document = jwks = jwks_uri = not_after = None
    try:
        async with _Client(networks=issuer.networks, ca_file=issuer.ca_file) as http:
            document = await http.answer(issuer.document_url)
            not_after = await read_certificate_end(issuer)
            jwks_uri = parse_discovery(document.body, issuer.url).jwks_uri
            jwks = await http.answer(jwks_uri)
    except KrautError as error:
        return Published(document, jwks_uri, jwks, not_after, error)
    return Published(document, jwks_uri, jwks, not_after)


async def read_certificate_end(issuer: TrustedIssuer) -> datetime:
    """When the certificate of the issuer's server expires. Raises UnreachableError, UntrustedUrlError."""
    parts = urlsplit(issuer.document_url)
    host, port = str(parts.hostname), parts.port or 443
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)
            address = str(found[0][4][0])
            check_address(address, issuer.networks)
            return await _certificate_end(address, port, host, issuer.ca_file)
    except (OSError, TimeoutError, ValueError) as error:
        raise UnreachableError(f"{issuer.document_url} does not show its certificate: {error}") from None


async def _certificate_end(address: str, port: int, host: str, ca_file: Path | None) -> datetime:
    context = ssl.create_default_context(cafile=ca_file)
    # Python >= 3.13 refuses authorities without a key usage extension, which Go accepts.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=host)
    try:
        certificate = writer.get_extra_info("ssl_object").getpeercert()
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    finally:
        writer.close()
