"""Tables for people: columns as a kind declares them, aligned as kubectl aligns them (pure)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from kraut_cli.formats.age import age
from kraut_cli.formats.escape import escape
from kraut_cli.formats.jsonpath import first
from kraut_core.api.kinds import Column, Kind

NONE: Final = "-"
"""What an empty cell shows: with a blank one, ``awk '{print $4}'`` would read its neighbour."""

_GAP: Final = "   "


def render(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with padded columns and without trailing blanks; it ends with a newline."""
    lines = [[*header], *([_one_line(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    padded = (_GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "".join(f"{line.rstrip()}\n" for line in padded)


def header_of(kind: Kind, *, wide: bool, namespaces: bool) -> list[str]:
    """NAMESPACE (when asked for), NAME, and the kind's columns; those with a priority in ``wide`` only."""
    names = [column.name.upper() for column in _shown(kind, wide=wide)]
    return [*(["NAMESPACE"] if namespaces else []), "NAME", *names]


def row_of(
    kind: Kind, item: dict[str, Any], *, now: datetime, wide: bool, namespaces: bool, prefix: str = ""
) -> list[str]:
    """The cells of one object; ``prefix`` goes before its name (``host.kraut.dev/``)."""
    metadata = item["metadata"]
    cells = [cell(column, item, now) for column in _shown(kind, wide=wide)]
    return [*([metadata.get("namespace", NONE)] if namespaces else []), prefix + metadata["name"], *cells]


def cell(column: Column, item: dict[str, Any], now: datetime) -> str:
    """One value as text: booleans as kubectl writes them, dates as an age."""
    value = first(column.json_path, item)
    if value is None or value == "":
        return NONE
    if column.type == "date":
        return age(str(value), now)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _shown(kind: Kind, *, wide: bool) -> list[Column]:
    return [column for column in kind.columns if wide or column.priority == 0]


def _one_line(text: str) -> str:
    return escape(" ".join(text.split())) or NONE
