"""kraut's own key pair for one host: made in memory, never on disk, never on a command line."""

from dataclasses import dataclass, field

from kraut_core.errors import SecretError


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An ed25519 key pair; ``private`` in OpenSSH's format (PEM), ``public`` as ``ssh-ed25519 AAAA...``."""

    public: str
    private: bytes = field(repr=False)


def generate_key_pair() -> KeyPair:
    """A new ed25519 key pair (RFC 8709)."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - 60 ms that only this needs
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return KeyPair(_public_line(key.public_key()), private)


def read_key_pair(private: bytes) -> KeyPair:
    """The pair of an unencrypted OpenSSH private key. Raises SecretError when it is not one."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key  # noqa: PLC0415

    try:
        key = load_ssh_private_key(private, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The cause is left out: nothing of a key belongs into a message.
        raise SecretError("expected an OpenSSH private key without a passphrase, found something else") from None
    return KeyPair(_public_line(key.public_key()), private)


def _public_line(key: object) -> str:
    from cryptography.hazmat.primitives.serialization import ssh  # noqa: PLC0415

    return ssh.serialize_ssh_public_key(key).decode()  # type: ignore[arg-type]
