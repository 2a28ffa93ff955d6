"""How one logs in to the lab's hosts: a key of the lab's own, the same key with a passphrase, a password."""

from __future__ import annotations

import secrets
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kraut_lab.files import write_atomically
from kraut_lab.programs import run


class SshCredentials:
    """Files in ``<lab>/ssh``, made once, readable by their owner only."""

    def __init__(self, folder: Path) -> None:
        """Args: folder: the lab's folder."""
        self._folder = folder / "ssh"

    @property
    def private_key(self) -> Path:
        """OpenSSH private key (ed25519) that every user but ``kraut-password`` accepts."""
        return self._folder / "id_ed25519"

    @property
    def encrypted_private_key(self) -> Path:
        """The same users accept this key too; it is encrypted with `passphrase`."""
        return self._folder / "id_ed25519_encrypted"

    @property
    def passphrase(self) -> str:
        """Of `encrypted_private_key`."""
        return (self._folder / "passphrase").read_text()

    @property
    def password(self) -> str:
        """Of ``kraut-password`` for login and of ``kraut-sudo-password`` for sudo."""
        return (self._folder / "password").read_text()

    @property
    def public_keys(self) -> str:
        """Both public keys, as lines of authorized_keys."""
        paths = (self.private_key, self.encrypted_private_key)
        return "".join(path.with_suffix(".pub").read_text() for path in paths)

    def create(self) -> None:
        """Make what is absent."""
        for name in ("passphrase", "password"):
            file = self._folder / name
            if not file.exists():
                write_atomically(file, secrets.token_urlsafe(18))
        if not self.private_key.with_suffix(".pub").exists():
            write_key_pair(self.private_key, comment="kraut-lab")
        if not self.encrypted_private_key.with_suffix(".pub").exists():
            self._create_encrypted()

    def _create_encrypted(self) -> None:
        key, script = self.encrypted_private_key, self._folder / "askpass"
        key.unlink(missing_ok=True)
        # ssh-keygen asks a program for the passphrase, which so never stands in an argument list.
        write_atomically(script, f'#!/bin/sh\nexec cat "{self._folder / "passphrase"}"\n', mode=0o700)
        environment = {"SSH_ASKPASS": str(script), "SSH_ASKPASS_REQUIRE": "force"}
        run(["ssh-keygen", "-q", "-t", "ed25519", "-C", "kraut-lab-encrypted", "-f", str(key)], env=environment)


def write_key_pair(path: Path, *, comment: str) -> str:
    """Write a new ed25519 key pair in OpenSSH's format, ``path`` and ``path.pub``; return the public line."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    line = f"{public.decode()} {comment}\n"
    write_atomically(path, private)
    write_atomically(path.with_suffix(".pub"), line, mode=0o644)
    return line
