"""``kraut completion``: the script that teaches a shell kraut's commands."""

import click
from click.shell_completion import get_completion_class

from kraut_cli.failures import CommandError
from kraut_cli.options import common_options


@click.command(short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@common_options
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    bash:  source <(kraut completion bash)              in ~/.bashrc
    zsh:   source <(kraut completion zsh)               in ~/.zshrc
    fish:  kraut completion fish | source               in ~/.config/fish/config.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise CommandError(f"expected a shell that click completes for, found {shell!r}")
    root = context.find_root()
    # kubectl completes its plugins by another way; the script is for the name `kraut`.
    click.echo(kind(root.command, {}, "kraut", "_KRAUT_COMPLETE").source())
