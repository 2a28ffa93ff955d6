"""Ansible's INI format (pure).

https://docs.ansible.com/ansible/latest/collections/ansible/builtin/ini_inventory.html
"""

import ast
import re
import shlex
from typing import Any, Final

from kraut_cli.inventory.model import UNGROUPED, Inventory, InventoryError

_SECTION: Final = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:[#;].*)?")


def parse_ini(text: str, inventory: Inventory) -> None:
    """Read the text into ``inventory``. Raises InventoryError with the number of the line."""
    group, part = UNGROUPED, "hosts"
    children: dict[str, int] = {}
    declared: set[str] = set()
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped[0] in "#;":
            continue
        try:
            if section := _SECTION.fullmatch(stripped):
                group, part = section[1], section[2] or "hosts"
                _open_section(group, part, inventory, declared)
            elif part == "hosts":
                _host_line(stripped, group, inventory)
            elif part == "vars":
                _variable_line(stripped, group, inventory)
            else:
                child = _without_comment(stripped)
                inventory.group(group).children.append(child)
                children.setdefault(child, number)
        except (InventoryError, ValueError) as error:
            raise InventoryError(f"line {number}: {error}") from None
    for child, number in children.items():
        if child not in declared:
            raise InventoryError(f"line {number}: expected a group that has a section, found {child!r}")


def _open_section(group: str, part: str, inventory: Inventory, declared: set[str]) -> None:
    if part not in {"hosts", "vars", "children"}:
        raise InventoryError(f"expected [{group}], [{group}:vars] or [{group}:children], found [{group}:{part}]")
    inventory.group(group)
    if part != "vars":
        declared.add(group)


def _host_line(line: str, group: str, inventory: Inventory) -> None:
    pattern, *words = shlex.split(line, comments=True)
    variables: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise InventoryError(f"expected key=value after the host, found {word!r}")
        variables[key] = _literal(value)
    inventory.add_hosts(group, pattern, variables)


def _variable_line(line: str, group: str, inventory: Inventory) -> None:
    key, equals, value = line.partition("=")
    if not equals:
        raise InventoryError(f"expected key=value, found {line!r}")
    inventory.group(group).variables[key.strip()] = _literal(value.strip())


def _literal(text: str) -> Any:
    """Values are Python literals where they can be, else text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _without_comment(line: str) -> str:
    return line.partition("#")[0].strip()
