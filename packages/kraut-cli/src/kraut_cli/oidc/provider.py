"""A provider that should exchange tokens of the issuer, as the options of ``kraut oidc check`` describe it (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click

from kraut_core.identity.clientauth import ClientAuthentication
from kraut_core.identity.described import describe_client, describe_exchange
from kraut_core.identity.exchange import Exchange, dex_exchange
from kraut_core.identity.sources import TokenSource

DEX_SCOPE: Final = ("openid", "profile", "federated:id")
_CLIENT: Final = ("client_key_file", "client_key_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A token endpoint and this client of it. ``audience`` is that of what it gives, ``subject_audience`` that of what it is shown.

    ``connector`` is Dex's, which then needs nothing of ``wanted``: arguments of ``describe_exchange``.
    """

    endpoint: str
    audience: str
    subject_audience: str
    client_id: str
    method: str
    secret_file: Path | None = None
    key_file: Path | None = None
    key_id: str | None = None
    connector: str | None = None
    wanted: Mapping[str, Any] = field(default_factory=dict)

    def describe(self, subject: TokenSource) -> tuple[Exchange, ClientAuthentication]:
        """What is asked, and by whom. Raises InvalidSpecError."""
        if self.connector:
            exchange = dex_exchange(
                self.endpoint, connector_id=self.connector, subject_audience=self.subject_audience, scope=DEX_SCOPE
            )
        else:
            exchange = describe_exchange(
                token_endpoint=self.endpoint, subject_audience=self.subject_audience, **self.wanted
            )
        client = describe_client(
            exchange,
            subject,
            method=self.method,
            client_id=self.client_id,
            secret_file=self.secret_file,
            key_file=self.key_file,
            key_id=self.key_id,
        )
        return exchange, client


def read_provider(options: dict[str, Any]) -> Provider | None:
    """The provider of the command line, whose options are taken out of ``options``; None without --token-endpoint.

    Raises click.UsageError.
    """
    endpoint, client_id = options.pop("token_endpoint"), options.pop("client_id")
    connector, audience = options.pop("connector"), options.pop("exchanged_audience") or client_id
    shown, method = options.pop("provider_audience"), options.pop("client_authentication")
    secret_file, key_file, key_id = (options.pop(name) for name in ("client_secret_file", *_CLIENT))
    names = ("grant", "subject_token_type", "requested_token_type", "send_audience", "resource", "scope")
    wanted = {name: options.pop(name) for name in names} | {"parameters": dict(options.pop("parameter"))}
    if endpoint is None:
        return None
    if not audience:
        raise click.UsageError("--token-endpoint needs --client-id, or --exchanged-audience where the client has none.")
    return Provider(
        endpoint=endpoint,
        audience=audience,
        subject_audience=shown or endpoint.removesuffix("/token"),
        client_id=client_id or "",
        method=method or _method(secret_file, key_file),
        secret_file=secret_file,
        key_file=key_file,
        key_id=key_id,
        connector=connector,
        wanted=wanted,
    )


def _method(secret_file: Path | None, key_file: Path | None) -> str:
    if key_file is not None:
        return "private_key_jwt"
    return "none" if secret_file is None else "client_secret_basic"
