"""Authorities out of files: what goes into an object or another server's file is certificates and nothing else."""

import re
from pathlib import Path
from typing import Final

from kraut_core.errors import InvalidSpecError

_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_PRIVATE_KEY: Final = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")


def read_authorities(path: Path) -> str:
    """The certificates in a PEM file. Raises InvalidSpecError as ``take_certificates``, OSError."""
    # Comments may be in any encoding; certificates are ASCII.
    return take_certificates(path.read_bytes().decode(errors="replace"), str(path))


def take_certificates(text: str, where: str) -> str:
    """The certificates of a PEM text, without comments and what else stands there (pure).

    Raises InvalidSpecError when a private key is among them, when one cannot be read, or when there is none.
    """
    from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415 - `kraut --help` reads no certificate

    if _PRIVATE_KEY.search(text):
        raise InvalidSpecError(
            f"{where} should hold PEM certificates of authorities only, it holds a private key, which would be written where others read "
            "it; name a file with the certificates alone"
        )
    blocks = certificates(text)
    for number, block in enumerate(blocks, 1):
        try:
            load_pem_x509_certificate(block.encode())
        except ValueError:
            raise InvalidSpecError(
                f"{where} should hold PEM certificates of authorities, number {number} in it is none; correct it"
            ) from None
    if not blocks:
        raise InvalidSpecError(
            f"{where} should hold PEM certificates of authorities (-----BEGIN CERTIFICATE-----), it holds none; name another file"
        )
    return "".join(f"{block}\n" for block in blocks)


def certificates(text: str) -> list[str]:
    """What looks like certificates in a PEM text, as OpenSSL reads it: whatever stands around them is a comment (pure)."""
    return [match.group().replace("\r\n", "\n") for match in _CERTIFICATE.finditer(text)]
