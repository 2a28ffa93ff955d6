"""A lab's certificates and keys: a certificate authority per trust domain, files readable by their owner only."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kraut_lab.files import write_atomically

_VALIDITY = datetime.timedelta(days=365)
_CLOCK_SKEW = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class KeyPair:
    """Paths of a PEM certificate and its PEM private key (PKCS#8)."""

    certificate: Path
    key: Path

    @property
    def exists(self) -> bool:
        """Whether both files are there."""
        return self.certificate.exists() and self.key.exists()


class CertificateAuthority:
    """A certificate authority whose files live in a folder as ``<name>.crt`` and ``<name>.key``."""

    def __init__(self, folder: Path, name: str) -> None:
        """Load the authority of that name, or create it (ECDSA P-256, valid one year)."""
        self._folder = folder
        self.files = _pair(folder, name)
        if not self.files.exists:
            self._create(name)
        self._certificate = x509.load_pem_x509_certificate(self.files.certificate.read_bytes())
        key = serialization.load_pem_private_key(self.files.key.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{self.files.key} should hold an EC key; remove the folder {folder} and start again.")
        self._key = key

    def issue(
        self, name: str, common_name: str, *, organization: str | None = None, hosts: Sequence[str] = ()
    ) -> KeyPair:
        """Return the key pair ``<name>``, made when absent: for a server when ``hosts`` are given, else a client.

        Args:
            name: file name without suffix.
            common_name: the user name for Kubernetes when it is a client certificate.
            organization: the user's group for Kubernetes.
            hosts: DNS names and IP addresses that the server answers for.
        """
        pair = _pair(self._folder, name)
        if pair.exists:
            return pair
        key = ec.generate_private_key(ec.SECP256R1())
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = _builder(_name(common_name, organization), self._certificate.subject, key.public_key())
        if hosts:
            usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
            builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(h) for h in hosts]), False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), False)
        _write(pair, builder.sign(self._key, hashes.SHA256()), key)
        return pair

    def _create(self, name: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(f"kraut lab {name}", None)
        builder = _builder(subject, subject, key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        builder = builder.add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False
        ).add_extension(_CA_KEY_USAGE, True)
        _write(self.files, builder.sign(key, hashes.SHA256()), key)


_CA_KEY_USAGE = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    crl_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


def create_signing_key(folder: Path, name: str) -> tuple[Path, Path]:
    """Return (private, public) PEM paths of an RSA 2048 key that signs service account tokens, made when absent."""
    private, public = folder / f"{name}.key", folder / f"{name}.pub"
    if not (private.exists() and public.exists()):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        write_atomically(private, _private_pem(key))
        public_format = serialization.PublicFormat.SubjectPublicKeyInfo
        write_atomically(public, key.public_key().public_bytes(serialization.Encoding.PEM, public_format))
    return private, public


def _pair(folder: Path, name: str) -> KeyPair:
    return KeyPair(folder / f"{name}.crt", folder / f"{name}.key")


def _write(pair: KeyPair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    # The certificate comes last: its presence means that the pair is whole.
    pair.certificate.unlink(missing_ok=True)
    write_atomically(pair.key, _private_pem(key))
    write_atomically(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))


def _private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _VALIDITY)
    )


def _name(common_name: str, organization: str | None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
