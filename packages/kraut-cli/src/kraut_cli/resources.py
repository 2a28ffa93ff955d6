"""Which kinds and names a person means: ``hosts``, ``kh``, ``host/web1``, ``hosts.kraut.dev`` (pure).

Nothing here names a kind: whatever ``kraut_core.api.v1alpha1`` declares can be shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import click

from kraut_core.api.kinds import Kind, all_kinds
from kraut_core.api.meta import GROUP


@dataclass(frozen=True, slots=True)
class Selection:
    """Objects to read: those with ``names``, or all of the kind when there are none."""

    kind: Kind
    names: tuple[str, ...] = ()


def select(arguments: Sequence[str]) -> list[Selection]:
    """What the arguments of ``get`` mean: nothing (every kind), ``KIND[,KIND]``, ``KIND NAME...`` or ``KIND/NAME...``.

    Raises click.UsageError when they mean nothing.
    """
    if not arguments:
        return [Selection(kind) for kind in all_kinds()]
    if "/" in arguments[0]:
        return [select_one(argument) for argument in arguments]
    kinds = [find_kind(word) for word in arguments[0].split(",")]
    if "/" in "".join(arguments[1:]):
        raise click.UsageError("expected NAMEs after a kind, found KIND/NAME; write either `hosts web1` or `host/web1`")
    return [Selection(kind, tuple(arguments[1:])) for kind in kinds]


def select_one(argument: str) -> Selection:
    """What ``KIND/NAME`` means. Raises click.UsageError."""
    kind, slash, name = argument.partition("/")
    if not slash or not name or "/" in name:
        raise click.UsageError(f"expected KIND/NAME such as host/web1, found {argument!r}")
    return Selection(find_kind(kind), (name,))


def find_kind(word: str) -> Kind:
    """The kind of that plural, name, short name, or either with its group. Raises click.UsageError."""
    plain = word.lower().removesuffix(f".{GROUP}")
    for kind in all_kinds():
        if plain in words_for(kind):
            return kind
    known = ", ".join(kind.plural for kind in all_kinds())
    raise click.UsageError(f"expected one of kraut's kinds ({known}), found {word!r}; kubectl shows all others")


def words_for(kind: Kind) -> tuple[str, ...]:
    """All words for a kind."""
    return (kind.plural, kind.name.lower(), *kind.short_names)
