"""One way to Temporal for every process: pydantic payloads, TLS, API key, and encryption when there is a key file."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from temporalio.client import Client, Interceptor
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes
from temporalio.service import TLSConfig

from kraut_core.errors import SecretError, UnreachableError
from kraut_core.temporal.codec import EncryptionCodec, read_keyring

if TYPE_CHECKING:
    from kraut_core.settings import TemporalSettings


async def connect(
    settings: "TemporalSettings",
    *,
    identity: str | None = None,
    lazy: bool = False,
    interceptors: Sequence[Interceptor] = (),
) -> Client:
    """Connect to Temporal's frontend; ``lazy`` connects with the first call (a worker needs it not to be).

    ``identity`` shows in histories and in the UI. Raises UnreachableError when nothing answers, SecretError when a file
    that the settings name cannot be used.
    """
    try:
        return await Client.connect(
            settings.address,
            namespace=settings.namespace,
            data_converter=data_converter(settings.payload_key_file),
            tls=tls_config(settings),
            api_key=_read(settings.api_key_file).decode().strip() if settings.api_key_file else None,
            identity=identity,
            lazy=lazy,
            interceptors=interceptors,
        )
    except RuntimeError as error:
        raise UnreachableError(
            f"no Temporal frontend at {settings.address}: {error}; check KRAUT_TEMPORAL_ADDRESS and its TLS settings",
            reason="TemporalUnreachable",
        ) from error


def data_converter(payload_key_file: Path | None) -> DataConverter:
    """pydantic's converter; with keys it encrypts payloads, and moves messages and stack traces of failures into one."""
    if payload_key_file is None:
        return pydantic_data_converter
    return dataclasses.replace(
        pydantic_data_converter,
        payload_codec=EncryptionCodec(read_keyring(payload_key_file)),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


def tls_config(settings: "TemporalSettings") -> TLSConfig | bool:
    """What the SDK takes for ``tls``: False is plain text. Raises SecretError when a file is missing."""
    files = (settings.tls_ca_file, settings.tls_cert_file, settings.tls_key_file)
    if not (settings.tls or settings.api_key_file or any(files)):
        return False
    if (settings.tls_cert_file is None) != (settings.tls_key_file is None):
        raise SecretError(
            "KRAUT_TEMPORAL_TLS_CERT_FILE and KRAUT_TEMPORAL_TLS_KEY_FILE belong together; set both or none"
        )
    return TLSConfig(
        server_root_ca_cert=_read(settings.tls_ca_file) if settings.tls_ca_file else None,
        domain=settings.tls_server_name,
        client_cert=_read(settings.tls_cert_file) if settings.tls_cert_file else None,
        client_private_key=_read(settings.tls_key_file) if settings.tls_key_file else None,
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SecretError(
            f"cannot read {path}: {error.strerror}; mount it, or correct the setting that names it"
        ) from error
