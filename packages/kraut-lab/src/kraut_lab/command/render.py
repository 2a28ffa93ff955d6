"""How the lab's commands write their data (pure)."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from kraut_lab.status import PartStatus

_COLUMNS = ("NAME", "STATE", "PID", "ADDRESS")


def status_table(parts: Sequence[PartStatus]) -> str:
    """Columns as kubectl writes them: upper-case heads, three blanks between, ``-`` for nothing."""
    rows = [_COLUMNS, *((part.name, part.state, str(part.pid or "-"), part.address or "-") for part in parts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = ("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)


def status_json(parts: Sequence[PartStatus]) -> str:
    """A list of objects with the fields of `PartStatus`."""
    return as_json([asdict(part) for part in parts])


def shell_exports(variables: Mapping[str, str]) -> str:
    """``export NAME=value`` lines for ``eval "$(kraut lab env)"``."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())


def as_json(value: Any) -> str:
    """Indented JSON."""
    return json.dumps(value, indent=2)
