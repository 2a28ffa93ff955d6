"""Reasons and their sentences, read from the source: constants with a docstring, and errors where they are made."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

from kraut_core.errors import KrautError
from kraut_core.identity import errors as identity_errors

HOLE = "…"
"""Stands for what a message says of the object at hand."""

_REASON = re.compile(r"[A-Z][a-z]+[A-Z]\w*")
_SAID = re.compile(rf"( \({HOLE}\)|[:.] {HOLE})$")
"""What somebody else said, at the end of a message."""


@dataclass(frozen=True)
class Reason:
    """A reason and what goes with it; ``permanent``: whether somebody must act before it goes away."""

    name: str
    sentence: str
    permanent: bool = False


def constants(file: Path) -> list[Reason]:
    """Every ``NAME = "Reason"`` that a docstring follows."""
    body = ast.parse(file.read_text()).body
    found = []
    for statement, following in pairwise(body):
        if isinstance(statement, ast.Assign) and isinstance(following, ast.Expr):
            name, sentence = _text(statement.value, {}), _text(following.value, {})
            if name and sentence:
                found.append(Reason(name, sentence))
    return found


def errors(file: Path, names: Mapping[str, str]) -> list[Reason]:
    """Every reason that an error made in ``file`` bears, with its message. ``names``: constants of reasons, by name."""
    module = ast.parse(file.read_text())
    classes = _error_classes()
    known = _assigned(module.body)
    scopes = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    found = [
        _of_call(call, names, _assigned(list(ast.walk(scope)), known, before=call.lineno), classes)
        for scope in scopes
        for call in ast.walk(scope)
        if isinstance(call, ast.Call)
    ]
    return [reason for reason in found if reason is not None]


def findings(file: Path) -> list[Reason]:
    """Reasons why a fact of a host could not be read: pairs of reason and sentence, in calls and in tables."""
    module = ast.parse(file.read_text())
    pairs = []
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and _name(node.func) in {"FactError", "FactProblem"}:
            pairs.append(node.args[-2:])
        elif isinstance(node, ast.Tuple) and len(node.elts) == 2:
            pairs.append(node.elts)
    found = [(_text(reason, {}), _text(sentence, _assigned(module.body))) for reason, sentence in pairs]
    return [
        Reason(name, _cut(sentence))
        for name, sentence in found
        if name and sentence and _REASON.fullmatch(name) and " " in sentence
    ]


def _of_call(
    call: ast.Call, names: Mapping[str, str], known: Mapping[str, str], classes: Mapping[str, type[KrautError]]
) -> Reason | None:
    cls = classes.get(_name(call.func))
    if cls is None or not call.args:
        return None
    given = next((word.value for word in call.keywords if word.arg == "reason"), None)
    name = cls.default_reason if given is None else names.get(_name(given)) or _text(given, {})
    sentence = _text(call.args[0], known)
    return Reason(name, _cut(sentence), cls.permanent) if name and sentence else None


def _error_classes() -> dict[str, type[KrautError]]:
    def below(cls: type[KrautError]) -> Iterator[type[KrautError]]:
        for child in cls.__subclasses__():
            yield child
            yield from below(child)

    # Importing them made them known.
    modules = {KrautError.__module__, identity_errors.__name__}
    return {cls.__name__: cls for cls in below(KrautError) if cls.__module__ in modules}


def _assigned(
    statements: list[ast.stmt] | list[ast.AST],
    known: Mapping[str, str] = MappingProxyType({}),
    *,
    before: int | None = None,
) -> dict[str, str]:
    """``known``, and texts by the name they were given last, above line ``before`` if that is said."""
    found = dict(known)
    for node in sorted((node for node in statements if isinstance(node, ast.Assign)), key=lambda node: node.lineno):
        text = _text(node.value, found)
        if text is not None and (before is None or node.lineno < before):
            found[_name(node.targets[0])] = text
    return found


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _text(node: ast.AST, known: Mapping[str, str]) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, known) or HOLE for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return known.get(_name(node.value))
    return known.get(_name(node)) if isinstance(node, ast.Name) else None


def _cut(sentence: str) -> str:
    return _SAID.sub("", sentence)
