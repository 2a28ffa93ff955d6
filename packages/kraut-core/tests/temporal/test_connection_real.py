"""The connection on a real Temporal: with a key file nothing readable reaches its database."""

import base64
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kraut_core.contracts.reconcile import ReconcileRequest
from kraut_core.errors import SecretError, UnreachableError
from kraut_core.settings import TemporalSettings
from kraut_core.temporal.connection import connect, tls_config
from kraut_core.temporal.wake import wake_workflow

if TYPE_CHECKING:
    from kraut_lab.temporal import TemporalServer


async def wake(settings: TemporalSettings, marker: str) -> str:
    """Wake a workflow of its own whose payloads hold ``marker``; returns its home."""
    home = f"home-{uuid.uuid4()}"
    client = await connect(settings, identity="kraut-tests")
    request = ReconcileRequest(uid=marker, generation=1, reason="Initial")
    await wake_workflow(client, home=home, kind="Host", namespace="n", name="h", request=request)
    return home


def stored(server: "TemporalServer") -> bytes:
    """Everything in the database's folder, its write-ahead log included."""
    return b"".join(path.read_bytes() for path in server.database.parent.glob(server.database.name + "*"))


@pytest.mark.integration
async def test_payloads_are_readable_without_a_key_and_not_with_one(
    temporal_server: "TemporalServer", tmp_path: Path
) -> None:
    plain, sealed = f"planted-{uuid.uuid4()}", f"planted-{uuid.uuid4()}"
    keys = tmp_path / "keys"
    keys.write_text(f"k1 {base64.b64encode(os.urandom(32)).decode()}\n")
    await wake(TemporalSettings(address=temporal_server.address), plain)
    home = await wake(TemporalSettings(address=temporal_server.address, payload_key_file=keys), sealed)
    found = stored(temporal_server)
    # the scan can see payloads, and this workflow is there
    assert plain.encode() in found
    assert home.encode() in found
    assert b"binary/encrypted" in found
    assert sealed.encode() not in found


@pytest.mark.integration
async def test_nothing_answers() -> None:
    with pytest.raises(UnreachableError, match="KRAUT_TEMPORAL_ADDRESS") as caught:
        await connect(TemporalSettings(address="127.0.0.1:1"))
    assert caught.value.reason == "TemporalUnreachable"


async def test_a_lazy_connection_needs_nobody_yet() -> None:
    client = await connect(TemporalSettings(address="127.0.0.1:1"), lazy=True)
    assert client.namespace == "default"


def test_tls_follows_from_what_is_set(tmp_path: Path) -> None:
    pem = tmp_path / "pem"
    pem.write_bytes(b"PEM")
    assert tls_config(TemporalSettings()) is False
    authority = tls_config(TemporalSettings(tls_ca_file=pem, tls_server_name="temporal.example"))
    assert not isinstance(authority, bool)
    assert (authority.server_root_ca_cert, authority.domain, authority.client_cert) == (
        b"PEM",
        "temporal.example",
        None,
    )
    mutual = tls_config(TemporalSettings(tls_cert_file=pem, tls_key_file=pem))
    assert not isinstance(mutual, bool)
    assert (mutual.client_cert, mutual.client_private_key) == (b"PEM", b"PEM")
    assert not isinstance(tls_config(TemporalSettings(api_key_file=pem)), bool)
    with pytest.raises(SecretError, match="belong together"):
        tls_config(TemporalSettings(tls_cert_file=pem))
    with pytest.raises(SecretError, match="cannot read"):
        tls_config(TemporalSettings(tls_ca_file=tmp_path / "absent"))
