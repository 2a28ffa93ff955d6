"""Commands that are imported when they are run, so that ``kraut --help`` costs no more than click.

Other packages add commands through the entry-point group ``kraut.commands``: the name of the entry point is the name
of the command, its object a click command. A package that is broken breaks its own command only.
https://packaging.python.org/en/latest/specifications/entry-points/
"""

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import click

from kraut_cli.failures import DEBUG, CommandError, one_sentence

ENTRY_POINT_GROUP: Final = "kraut.commands"


@dataclass(frozen=True, slots=True)
class Lazy:
    """A command of this package: ``target`` is ``module:attribute``, ``help`` the line that the list of commands shows."""

    target: str
    help: str


class LazyGroup(click.Group):
    """A group whose commands are imported on use. ``plugins``: whether entry points add to it."""

    def __init__(self, *args: Any, lazy: Mapping[str, Lazy], plugins: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = lazy
        self.plugins = plugins

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, sorted."""
        return sorted({*super().list_commands(ctx), *self.lazy, *self._found()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of that name; None when there is none."""
        if lazy := self.lazy.get(cmd_name):
            module, _, attribute = lazy.target.partition(":")
            return _checked(getattr(importlib.import_module(module), attribute))
        if found := self._found().get(cmd_name):
            return load(found)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        found = self._found()
        rows = [(name, self._help(name, found)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; every failure becomes one sentence and an exit code."""
        try:
            with one_sentence():
                return super().invoke(ctx)
        except CommandError as error:
            # It is shown when the context is gone.
            error.debug = bool(ctx.meta.get(DEBUG))
            raise

    def _help(self, name: str, found: Mapping[str, EntryPoint]) -> str:
        if lazy := self.lazy.get(name):
            return lazy.help
        if plugin := found.get(name):
            return _summary(plugin)
        return self.commands[name].get_short_help_str(limit=200)

    def _found(self) -> dict[str, EntryPoint]:
        if not self.plugins:
            return {}
        # A command of kraut's own is never replaced: installing a package must not change what `kraut get` does.
        return {point.name: point for point in _points() if point.name not in self.lazy}


def load(point: EntryPoint) -> click.Command:
    """Import the command of an entry point. Raises CommandError, in one sentence, when that fails."""
    try:
        return _checked(point.load())
    except (Exception, SystemExit) as error:
        package = point.dist.name if point.dist else point.module
        raise CommandError(
            f"the command {point.name!r} comes with the package {package}, which cannot be loaded "
            f"({type(error).__name__}: {_first_line(error)}); install it again, or remove it. Other commands are not affected."
        ) from error


def _checked(command: Any) -> click.Command:
    if not isinstance(command, click.Command):
        raise TypeError(f"expected a click command, found {type(command).__name__}")
    return command


def _points() -> Iterable[EntryPoint]:
    return entry_points(group=ENTRY_POINT_GROUP)


def _summary(point: EntryPoint) -> str:
    summary = point.dist.metadata["Summary"] if point.dist and "Summary" in point.dist.metadata else None
    return f"{summary.partition(':')[0].rstrip('.')}." if summary else f"From {point.module}."


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or "no message").splitlines()[0]
