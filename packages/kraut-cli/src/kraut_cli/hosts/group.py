"""The group ``kraut host``."""

from typing import Final

import click

from kraut_cli.loading import Lazy, LazyGroup
from kraut_cli.options import common_options

_COMMANDS: Final = {
    "add": Lazy("kraut_cli.hosts.add:add", "Put one host under management."),
    "import": Lazy("kraut_cli.hosts.import_inventory:import_inventory", "Make Hosts from an Ansible inventory."),
    "test": Lazy("kraut_cli.hosts.probe:probe", "Look at a host now and say what is wrong."),
}


@click.group(cls=LazyGroup, lazy=_COMMANDS)
@common_options
def host() -> None:
    """Put hosts under management, and test them."""
