"""The payload codec: what leaves the process is unreadable, comes back whole, and survives a rotation of keys."""

import base64
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload

from kraut_core.errors import SecretError
from kraut_core.temporal.codec import EncryptionCodec, read_keyring
from kraut_core.temporal.connection import data_converter


def key_line(key_id: str) -> str:
    return f"{key_id} {base64.b64encode(os.urandom(32)).decode()}\n"


def codec_of(path: Path, content: str) -> EncryptionCodec:
    path.write_text(content)
    return EncryptionCodec(read_keyring(path))


@given(data=st.binary(max_size=200), encoding=st.binary(max_size=20))
async def test_what_is_encoded_decodes_to_the_same(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, encoding: bytes
) -> None:
    codec = codec_of(tmp_path_factory.getbasetemp() / "keys", key_line("a"))
    payload = Payload(metadata={"encoding": encoding}, data=data)
    [sealed] = await codec.encode([payload])
    assert sealed.metadata["encoding"] == b"binary/encrypted"
    assert sealed.metadata["encryption-key-id"] == b"a"
    assert await codec.decode([sealed]) == [payload]


async def test_plain_text_does_not_show_and_no_two_ciphertexts_are_equal(tmp_path: Path) -> None:
    codec = codec_of(tmp_path / "keys", key_line("a"))
    payload = Payload(metadata={"encoding": b"json/plain"}, data=b"planted-in-the-payload")
    one, two = await codec.encode([payload, payload])
    assert b"planted" not in one.SerializeToString()
    assert one.data != two.data


async def test_a_rotated_key_still_decrypts_and_the_first_encrypts(tmp_path: Path) -> None:
    old_line = key_line("2026-01")
    old = codec_of(tmp_path / "old", "# keys\n" + old_line)
    new = codec_of(tmp_path / "new", key_line("2026-02") + "\n" + old_line)
    payload = Payload(data=b"x")
    assert await new.decode(await old.encode([payload])) == [payload]
    [sealed] = await new.encode([payload])
    assert sealed.metadata["encryption-key-id"] == b"2026-02"
    with pytest.raises(SecretError, match="2026-02"):
        await old.decode([sealed])


async def test_altered_payloads_are_refused_and_plain_ones_pass(tmp_path: Path) -> None:
    codec = codec_of(tmp_path / "keys", key_line("a"))
    [sealed] = await codec.encode([Payload(data=b"x")])
    altered = Payload(metadata=dict(sealed.metadata), data=sealed.data[:-1] + bytes([sealed.data[-1] ^ 1]))
    with pytest.raises(SecretError, match="altered"):
        await codec.decode([altered])
    plain = Payload(metadata={"encoding": b"json/plain"}, data=b"1")
    assert await codec.decode([plain]) == [plain]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "found none"),
        ("a\n", "1 words"),
        ("a tooShort=\n", "32 bytes"),
        ("a " + base64.b64encode(b"k" * 32).decode() + "\na " + base64.b64encode(b"l" * 32).decode(), "same id"),
    ],
)
def test_a_key_file_that_cannot_be_used_says_why_and_shows_no_key(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "keys"
    path.write_text(content)
    with pytest.raises(SecretError, match=complaint) as caught:
        read_keyring(path)
    assert all(word not in str(caught.value) for word in content.split() if len(word) > 8)


def test_a_missing_key_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="cannot read"):
        data_converter(tmp_path / "absent")


def test_failures_are_encoded_too_when_there_is_a_key(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(key_line("a"))
    assert data_converter(tmp_path / "keys").failure_converter_class.__name__.endswith("WithEncodedAttributes")
    assert data_converter(None).payload_codec is None
