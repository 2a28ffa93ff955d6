"""Options that say what a provider is asked for and how this client shows itself, the same for every command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from kraut_core.identity.described import GRANTS, METHODS, TOKEN_TYPES

Command = TypeVar("Command", bound=Callable[..., Any])
FILE: Final = click.Path(dir_okay=False, path_type=Path)


def _parameters(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    pairs = tuple(value.partition("=") for value in values)
    if flawed := [name for name, equals, _ in pairs if not (name and equals)]:
        raise click.BadParameter(f"expected NAME=VALUE, found {flawed[0]!r}")
    return tuple((name, value) for name, _, value in pairs)


_OPTIONS: Final = (
    click.option(
        "--grant",
        type=click.Choice(list(GRANTS)),
        default="token-exchange",
        help="client-credentials: the client itself acts.",
    ),
    click.option(
        "--subject-token-type", type=click.Choice(list(TOKEN_TYPES)), default="jwt", help="Dex wants id_token."
    ),
    click.option("--requested-token-type", type=click.Choice(list(TOKEN_TYPES)), help="Dex wants id_token."),
    click.option("--send-audience/--no-send-audience", default=True, help="Dex: the audience follows from the client."),
    click.option("--resource", help="RFC 8693's resource."),
    click.option("--scope", multiple=True, help="May be given again."),
    click.option(
        "--parameter", metavar="NAME=VALUE", multiple=True, callback=_parameters, help="Such as connector_id=east."
    ),
    click.option("--client-key-file", type=FILE, help="PEM, for private_key_jwt."),
    click.option("--client-key-id", help="For private_key_jwt, if needed."),
)


def provider_options(command: Command) -> Command:
    """Adds ``grant``, token types, ``send_audience``, ``resource``, ``scope``, ``parameter`` and the client's key."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def client_authentication_option(default: str | None, text: str) -> Callable[[Command], Command]:
    """``--client-authentication``, one of RFC 6749's and RFC 7523's ways."""
    return click.option("--client-authentication", type=click.Choice(list(METHODS)), default=default, help=text)
