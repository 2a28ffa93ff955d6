"""Write docs/reference/cli.md from the commands of kraut-cli and kraut-lab; ``--check`` only compares."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from generated import write_or_compare

from kraut_cli.credential.__main__ import credential
from kraut_cli.root import COMMANDS, root

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference" / "cli.md"

SHARED = ("namespace", "kubeconfig", "context", "no_input", "debug")
"""Options that mean the same in every command of `kraut` that has them: explained once."""

LAB = "lab"
"""The command that the package kraut-lab adds."""

HELP = "_click_default_help"

HEAD = """# Command line

`kraut`, or `kubectl kraut` when `kubectl-kraut` is in the PATH: the same program. `kraut lab` comes with the package kraut-lab
([the lab](../lab.md)); [kraut-credential](#kraut-credential) is a program of its own.

Generated from the commands by `make generate`; edit them there.

## Manners

Data goes to stdout; progress, questions and problems go to stderr, coloured on a terminal only, never with `NO_COLOR`.
An error says in one sentence what was expected, what was found and what to do.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | error |
| 2 | usage: the command line itself is wrong |
| 3 | not ready, or timed out waiting for it |
| 4 | refused by an admission policy, an admission webhook or a quota of the cluster |
"""


def render() -> str:
    """The reference as Markdown."""
    top = click.Context(root, info_name="kraut")
    names = sorted([*COMMANDS, LAB])
    commands = [item for name in names for item in _walk(name, root.get_command(top, name), top)]
    parts = [HEAD, "## Shared options\n", "Each where `--help` lists it.\n", _table(_shared(commands))]
    alone = _command(click.Context(credential, info_name="kraut-credential"), elsewhere=())
    return "\n".join([*parts, *(_command(context) for context in commands), alone]).rstrip() + "\n"


def _walk(name: str, command: click.Command | None, parent: click.Context) -> Iterator[click.Context]:
    if command is None:
        raise LookupError(name)
    context = click.Context(command, info_name=name, parent=parent)
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            yield from _walk(inner, command.get_command(context, inner), context)
    else:
        yield context


def _shared(commands: list[click.Context]) -> list[tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for context in commands:
        for parameter in context.command.get_params(context):
            record = parameter.get_help_record(context)
            if record and parameter.name in SHARED:
                found.setdefault(parameter.name, record)
    return [found[name] for name in SHARED]


def _command(context: click.Context, *, elsewhere: tuple[str, ...] = SHARED) -> str:
    command = context.command
    usage = command.get_usage(context).removeprefix("Usage: ")
    records = [
        record
        for parameter in command.get_params(context)
        if isinstance(parameter, click.Option)
        and parameter.name not in (*elsewhere, HELP)
        and (record := parameter.get_help_record(context))
    ]
    parts = [f"\n## {context.command_path}\n", f"```\n{' '.join(usage.split())}\n```\n", _prose(command.help or "")]
    return "\n".join([*parts, *([_table(records)] if records else [])])


def _prose(text: str) -> str:
    """Click's paragraphs as Markdown; what click must not rewrap (``\\b``) is an example."""
    blocks = inspect.cleandoc(text).split("\n\n")
    return (
        "\n\n".join(
            f"```\n{block.removeprefix(chr(8)).strip()}\n```" if block.startswith("\b") else block for block in blocks
        )
        + "\n"
    )


def _table(records: list[tuple[str, str]]) -> str:
    rows = "\n".join(f"| `{option}` | {meaning} |" for option, meaning in map(_cells, records))
    return f"| option | meaning |\n|---|---|\n{rows}\n"


def _cells(record: tuple[str, str]) -> tuple[str, str]:
    option, meaning = (" ".join(cell.split()).replace("|", "\\|") for cell in record)
    return option, meaning


if __name__ == "__main__":
    sys.exit(write_or_compare(REFERENCE, render()))
