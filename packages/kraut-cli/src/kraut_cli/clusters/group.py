"""The group ``kraut cluster``."""

from typing import Final

import click

from kraut_cli.loading import Lazy, LazyGroup
from kraut_cli.options import common_options

_COMMANDS: Final = {
    "connect": Lazy("kraut_cli.clusters.connect:connect", "Let kraut reach another cluster."),
}


@click.group(cls=LazyGroup, lazy=_COMMANDS)
@common_options
def cluster() -> None:
    """Reach other clusters."""
