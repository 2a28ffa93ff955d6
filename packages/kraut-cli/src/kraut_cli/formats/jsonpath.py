"""The JSONPath of printer columns: fields, indexes, ``[*]`` and one comparison (pure).

This is the part of https://kubernetes.io/docs/reference/kubectl/jsonpath/ that a CustomResourceDefinition's columns
use; it differs from RFC 9535 (no leading ``$``), which is why no library for that reads it.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

_STEP: Final = re.compile(
    r"""
      \.(?P<field>[A-Za-z_][\w-]*)
    | \['(?P<quoted>[^']+)'\]
    | \[(?P<index>-?\d+)\]
    | \[(?P<every>\*)\]
    | \[\?\(@(?P<path>(?:\.[A-Za-z_][\w-]*)+)\s*==\s*(?P<quote>['"])(?P<wanted>.*?)(?P=quote)\)\]
    """,
    re.VERBOSE,
)


def find(path: str, document: Any) -> list[Any]:
    """Every value at ``path``, for example ``.status.conditions[?(@.type=='Ready')].status``; [] when there is none.

    Raises ValueError when the path is none that a printer column may have.
    """
    values = [document]
    for step in _steps(path):
        values = [found for value in values for found in _follow(step, value)]
    return values


def first(path: str, document: Any) -> Any:
    """The first value at ``path``, or None."""
    return next(iter(find(path, document)), None)


@cache
def _steps(path: str) -> tuple[dict[str, str], ...]:
    steps: list[dict[str, str]] = []
    position = 0
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise ValueError(
                f"expected a JSONPath such as .spec.address, found {path!r}: cannot read {path[position:]!r}"
            )
        steps.append({name: text for name, text in match.groupdict().items() if text is not None})
        position = match.end()
    return tuple(steps)


def _follow(step: dict[str, str], value: Any) -> Iterator[Any]:
    field = step.get("field") or step.get("quoted")
    if field is not None:
        if isinstance(value, dict) and field in value:
            yield value[field]
    elif isinstance(value, list):
        yield from _select(step, value)


def _select(step: dict[str, str], items: list[Any]) -> Iterator[Any]:
    if "index" in step:
        index = int(step["index"])
        if -len(items) <= index < len(items):
            yield items[index]
    elif "every" in step:
        yield from items
    else:
        yield from (item for item in items if first(step["path"], item) == step["wanted"])
