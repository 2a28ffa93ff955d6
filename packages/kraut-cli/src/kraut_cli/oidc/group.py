"""The group ``kraut oidc``."""

from typing import Final

import click

from kraut_cli.loading import Lazy, LazyGroup
from kraut_cli.options import common_options

_COMMANDS: Final = {
    "check": Lazy("kraut_cli.oidc.check:check", "Say whether other clusters can trust an issuer, and what is wrong."),
    "forget-keys": Lazy(
        "kraut_cli.oidc.forget_keys:forget_keys", "Make a kube-apiserver forget keys that were removed."
    ),
}


@click.group(cls=LazyGroup, lazy=_COMMANDS)
@common_options
def oidc() -> None:
    """Identity across clusters: check issuers, and make relying clusters forget removed keys."""
