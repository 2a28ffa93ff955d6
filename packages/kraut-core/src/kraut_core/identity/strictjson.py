"""JSON as security needs it (RFC 8725 section 2.4, RFC 7515 section 4): what two parsers could read differently is refused (pure)."""

import json
from typing import Any, NoReturn

MAX_DEPTH = 32


def parse_object(text: bytes, what: str) -> dict[str, Any]:
    """The JSON object in ``text``; ``what`` names it in errors, as in "the JWKS".

    Raises ValueError with a sentence that holds nothing of the content: not UTF-8, not JSON, not an object, a name
    twice in one object, NaN or Infinity, deeper than 32 levels.
    """
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except _RefusedError as refused:
        raise ValueError(f"{what} {refused}") from None
    except (ValueError, RecursionError):
        raise ValueError(f"{what} should be JSON, it is not (a proxy's page?)") from None
    if not isinstance(value, dict):
        raise ValueError(f"{what} should be a JSON object, it is a {type(value).__name__}")  # noqa: TRY004
    if _depth(value) > MAX_DEPTH:
        raise ValueError(f"{what} is nested deeper than {MAX_DEPTH} levels")
    return value


class _RefusedError(Exception):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _RefusedError("has a member name twice in one object")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise _RefusedError(f"holds {name}, which JSON does not have")


def _depth(value: Any) -> int:
    deepest, level = 0, [value]
    while level and deepest <= MAX_DEPTH:
        deepest += 1
        level = [child for item in level for child in _children(item)]
    return deepest


def _children(item: Any) -> list[Any]:
    if isinstance(item, dict):
        return list(item.values())
    return item if isinstance(item, list) else []
