"""Keys: the pinned ones of a host, the private one of a Secret, and how they are shown to a person."""

import asyncio
from collections.abc import Iterable, Sequence
from functools import lru_cache
from threading import Lock

import asyncssh

from kraut_core.errors import InvalidSpecError, SecretError
from kraut_worker.ports import Credentials

_DECRYPTING = Lock()
"""Whoever comes second finds the key that the first one decrypted."""
_RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")
_ALGORITHMS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", *_RSA_SIGNATURES)


def parse_host_keys(lines: Iterable[str], *, where: str) -> tuple[asyncssh.SSHKey, ...]:
    """The public keys of OpenSSH lines. Raises InvalidSpecError for a line that is none."""
    return tuple(_parse_host_key(line, where=where) for line in lines)


def _parse_host_key(line: str, *, where: str) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_public_key(line)
    except (asyncssh.KeyImportError, ValueError) as error:
        raise InvalidSpecError(
            f"expected an OpenSSH public-key line (the content of /etc/ssh/ssh_host_*_key.pub) in the host keys of {where}, "
            f"found {line[:60]!r}: {error}",
            reason="HostKeyInvalid",
        ) from None


def host_key_algorithms(pinned: Sequence[asyncssh.SSHKey]) -> list[str]:
    """Host key algorithms in the order of preference: those of the pinned keys first, so that a server that has one of them shows it.

    The others follow, as OpenSSH's client does it: a server without any pinned type then shows a key that can be named in
    the refusal, instead of hanging up. Signatures with SHA-1 are left out.
    """
    algorithms: list[str] = []
    for key in pinned:
        name = key.get_algorithm()
        algorithms += _RSA_SIGNATURES if name == "ssh-rsa" else (name,)
    return list(dict.fromkeys([*algorithms, *_ALGORITHMS]))


def openssh_line(key: asyncssh.SSHKey) -> str:
    """The key as ``<algorithm> <base64>``, without a comment."""
    return " ".join(key.export_public_key("openssh").decode("ascii").split()[:2])


def describe_key(key: asyncssh.SSHKey) -> str:
    """Algorithm and SHA256 fingerprint, as ssh-keygen -l shows them."""
    return f"{key.get_algorithm()} {key.get_fingerprint()}"


async def load_private_key(credentials: Credentials, *, where: str) -> asyncssh.SSHKey | None:
    """The private key of ``credentials``, decrypted; None when there is none.

    Raises SecretError with reason PrivateKeyInvalid, PassphraseMissing or PassphraseWrong.
    """
    if credentials.private_key is None:
        return None
    # bcrypt's key derivation takes a tenth of a second and more: other hosts' work must not wait for it.
    return await asyncio.to_thread(_import_private_key, credentials.private_key, credentials.passphrase, where)


def _import_private_key(text: bytes, passphrase: str | None, where: str) -> asyncssh.SSHKey:
    try:
        if not passphrase:
            return asyncssh.import_private_key(text)
        with _DECRYPTING:
            return _decrypt_private_key(text, passphrase)
    except asyncssh.KeyEncryptionError as error:
        raise _wrong_passphrase(where) from error
    except (asyncssh.KeyImportError, ValueError) as error:
        raise _explain_import(str(error), passphrase, where) from error


@lru_cache(maxsize=64)
def _decrypt_private_key(text: bytes, passphrase: str) -> asyncssh.SSHKey:
    """Once for each key, not once for each login: hosts that share one would cost a core in every sweep."""
    return asyncssh.import_private_key(text, passphrase)


def _explain_import(problem: str, passphrase: str | None, where: str) -> SecretError:
    if "Passphrase must be specified" in problem:
        return SecretError(
            f"the private key for {where} is encrypted: add its passphrase to the Secret as `passphrase`, "
            "or store the key without one",
            reason="PassphraseMissing",
        )
    if passphrase and "Unable to decrypt" in problem:
        return _wrong_passphrase(where)
    return SecretError(
        f"`ssh-privatekey` in the Secret for {where} is not a private key in OpenSSH, PEM or PKCS#8 format: "
        "store the file that ssh-keygen wrote, whole and with its line ends",
        reason="PrivateKeyInvalid",
    )


def _wrong_passphrase(where: str) -> SecretError:
    return SecretError(
        f"the passphrase in the Secret for {where} does not decrypt the private key beside it: correct `passphrase`",
        reason="PassphraseWrong",
    )
