"""Encryption of payloads before they leave the process: AES-256-GCM, with the id of the key beside the ciphertext.

kraut's payloads hold no secret by design; this is the second line. https://docs.temporal.io/payload-codec
"""

import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from kraut_core.errors import SecretError

ENCODING = b"binary/encrypted"
KEY_ID = "encryption-key-id"
NONCE_BYTES = 12
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Keyring:
    """Keys by id; ``active`` encrypts, the others only decrypt what was written before a rotation."""

    active: str
    keys: Mapping[str, AESGCM]

    def __repr__(self) -> str:
        return f"Keyring(active={self.active!r}, ids={sorted(self.keys)!r})"


class EncryptionCodec(PayloadCodec):
    """Encrypts every payload with the active key; what was never encrypted is read as it is, so that it can be turned on."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt each payload, its metadata included."""
        return [self._encrypt(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt each payload. Raises SecretError when its key is missing or it was altered."""
        return [self._decrypt(payload) for payload in payloads]

    def _encrypt(self, payload: Payload) -> Payload:
        key_id = self._keyring.active
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._keyring.keys[key_id].encrypt(nonce, payload.SerializeToString(), key_id.encode())
        return Payload(metadata={"encoding": ENCODING, KEY_ID: key_id.encode()}, data=nonce + sealed)

    def _decrypt(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        key_id = payload.metadata.get(KEY_ID, b"").decode(errors="replace")
        key = self._keyring.keys.get(key_id)
        if key is None:
            raise SecretError(
                f"a payload was encrypted with key {key_id!r}, and the key file has {sorted(self._keyring.keys)}; add that key below the first line"
            )
        nonce, sealed = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        try:
            return Payload.FromString(key.decrypt(nonce, sealed, key_id.encode()))
        except (InvalidTag, ValueError) as error:
            raise SecretError(
                f"a payload does not open with key {key_id!r}: it was altered, or another key bears the same id"
            ) from error


def read_keyring(path: Path) -> Keyring:
    """Read a key file: lines of ``<id> <base64 of 32 bytes>``, the first one encrypts; ``#`` starts a comment.

    Raises SecretError, which never shows a key.
    """
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError) as error:
        raise SecretError(f"cannot read the payload keys in {path}: {type(error).__name__}") from error
    entries = [line.split() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    keys = {key_id: AESGCM(_key(encoded, path)) for key_id, encoded in (_pair(entry, path) for entry in entries)}
    if not keys:
        raise SecretError(f"expected at least one line `<id> <base64 of 32 bytes>` in {path}, found none")
    if len(keys) != len(entries):
        raise SecretError(f"two keys in {path} bear the same id; give each its own")
    return Keyring(active=entries[0][0], keys=keys)


def _pair(entry: Sequence[str], path: Path) -> tuple[str, str]:
    if len(entry) != 2:
        raise SecretError(f"expected lines `<id> <base64 of 32 bytes>` in {path}, found one with {len(entry)} words")
    return entry[0], entry[1]


def _key(encoded: str, path: Path) -> bytes:
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise SecretError(f"expected keys of 32 bytes in base64 in {path} (`openssl rand -base64 32`), found another")
    return key
