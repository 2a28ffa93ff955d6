"""A server's own certificate, read again when its files change: connections stay, new ones get the new certificate.

For files that cert-manager or certbot replaces, in a Secret's volume (an atomic swap of a symbolic link) or in place.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from kraut_core.errors import PermanentError

log = structlog.get_logger(__name__)

Stamp = tuple[tuple[int, int, int], ...]


class CertificateError(PermanentError):
    """The certificate files cannot be used."""

    default_reason = "CertificateInvalid"


@dataclass(frozen=True, slots=True)
class _Loaded:
    context: ssl.SSLContext
    stamp: Stamp
    not_after: datetime
    serial_number: int


class ReloadingCertificate:
    """A certificate chain and its key in PEM files, served by ``context`` to every new connection.

    TLS 1.2 or newer, ``http/1.1`` by ALPN. A pair that does not fit or cannot be read leaves the last good one in use.
    """

    def __init__(self, cert_file: Path, key_file: Path) -> None:
        """Read the files. Raises CertificateError."""
        self._files = (cert_file, key_file)
        self._loaded = _load(*self._files)
        self.failures = 0
        """How often changed files could not be used; the last good certificate was kept."""
        self.context = self._loaded.context
        # A context of its own for every pair, never one changed in place: OpenSSL keeps one certificate per key type,
        # so that an RSA one would outlive its replacement by an ECDSA one.
        self.context.sni_callback = self._choose

    @property
    def not_after(self) -> datetime:
        """When the certificate in use expires (UTC)."""
        return self._loaded.not_after

    def reload(self) -> bool:
        """Take the files if they changed. Returns whether another certificate is in use now. Raises CertificateError."""
        stamp = _stamp(*self._files)
        if stamp == self._loaded.stamp:
            return False
        loaded = _load(*self._files)
        self._loaded = loaded
        return True

    async def watch(self, seconds: float, changed: Callable[[], None] = lambda: None) -> None:
        """Compare the files every ``seconds``, for ever; ``changed`` is called after a replacement."""
        while True:
            await asyncio.sleep(seconds)
            try:
                if await asyncio.to_thread(self.reload):
                    log.info("certificate replaced", not_after=self.not_after.isoformat(), file=str(self._files[0]))
                    changed()
            except CertificateError as error:
                self.failures += 1
                log.warning("certificate not replaced", error=str(error), not_after=self.not_after.isoformat())

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._loaded.context


def _stamp(*files: Path) -> Stamp:
    try:
        stats = [file.stat() for file in files]
    except OSError as error:
        raise CertificateError(
            f"cannot read {error.filename}: {error.strerror}; mount it, or correct its path"
        ) from None
    return tuple((stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in stats)


def _load(cert_file: Path, key_file: Path) -> _Loaded:
    from cryptography import x509  # noqa: PLC0415 - 10 MB that a process without own certificate saves

    # Before the content: a change while it is read is seen the next time.
    stamp = _stamp(cert_file, key_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(cert_file, key_file, password=_no_password)
        leaf = x509.load_pem_x509_certificates(cert_file.read_bytes())[0]
    except (OSError, ValueError, IndexError) as error:
        raise CertificateError(
            f"{cert_file} should hold a PEM certificate chain, leaf first, and {key_file} its private key without "
            f"passphrase; found {getattr(error, 'reason', None) or type(error).__name__}"
        ) from None
    return _Loaded(context, stamp, leaf.not_valid_after_utc, leaf.serial_number)


def _no_password() -> str:
    # Without this OpenSSL would ask on the terminal.
    raise ValueError("the key has a passphrase")
