"""The root command: its name, its list of commands, and nothing else."""

from typing import Final

import click

from kraut_cli.loading import Lazy, LazyGroup
from kraut_cli.options import common_options

COMMANDS: Final = {
    "cluster": Lazy("kraut_cli.clusters.group:cluster", "Reach other clusters."),
    "completion": Lazy("kraut_cli.completion:completion", "Print the completion script of a shell."),
    "events": Lazy("kraut_cli.events:events", "Show what happened to kraut's resources, newest last."),
    "get": Lazy("kraut_cli.get:get", "Show kraut's resources."),
    "host": Lazy("kraut_cli.hosts.group:host", "Put hosts under management, and test them."),
    "logs": Lazy("kraut_cli.logs:logs", "Show the output of operations that failed."),
    "oidc": Lazy(
        "kraut_cli.oidc.group:oidc",
        "Identity across clusters: check issuers, and make relying clusters forget removed keys.",
    ),
    "version": Lazy("kraut_cli.version:version", "Show the versions of kraut's packages."),
}

_HELP: Final = """Run hosts and Kubernetes clusters as Kubernetes resources.

Everything that kraut stores can be written with kubectl; these commands make it shorter.
Data goes to stdout, progress and problems to stderr.

\b
Exit codes: 0 done, 1 error, 2 usage, 3 not ready or timed out,
            4 refused by an admission policy, webhook or quota.
"""


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    plugins=True,
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@common_options
def root() -> None:
    """See ``_HELP``."""
