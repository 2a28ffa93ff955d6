"""Find out what an inventory file is, read it, and the group_vars and host_vars beside it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from kraut_cli.inventory.ini import parse_ini
from kraut_cli.inventory.model import Inventory, InventoryError
from kraut_cli.inventory.tree import parse_listing, parse_tree

_YAML_SUFFIXES: Final = frozenset({".yml", ".yaml", ".json"})
_VARIABLE_SUFFIXES: Final = ("", ".yml", ".yaml", ".json")


class Encrypted:
    """Stands for a value that only Ansible Vault can read."""


class _Loader(yaml.SafeLoader):
    """Ansible's own tags: ``!vault`` is never decrypted, ``!unsafe`` is a text."""


_Loader.add_constructor("!vault", lambda _loader, _node: Encrypted())
_Loader.add_constructor("!unsafe", lambda _loader, node: str(node.value))


def read_inventory(path: Path) -> Inventory:
    """Read an inventory file with the variables beside it. Raises InventoryError, OSError."""
    if path.is_dir() or (path.is_file() and os.access(path, os.X_OK)):
        raise InventoryError(
            f"expected an inventory file, found a {'folder' if path.is_dir() else 'script'} at {path}; "
            f"let Ansible read it: ansible-inventory -i {path} --list | kraut host import -i - ..."
        )
    try:
        inventory = parse(path.read_text(), path.suffix)
        _read_variables(path.parent, inventory)
    except InventoryError as error:
        raise InventoryError(f"{path}: {error}") from None
    return inventory


def parse(text: str, suffix: str = "") -> Inventory:
    """Read an inventory: JSON by its first character, YAML by the suffix as Ansible does, else INI. Raises InventoryError."""
    inventory = Inventory()
    if text.lstrip().startswith("{") or suffix in _YAML_SUFFIXES:
        document = _load(text)
        if isinstance(document, dict) and "_meta" in document:
            parse_listing(document, inventory)
        else:
            parse_tree(document, inventory)
    else:
        parse_ini(text, inventory)
    if not inventory.host_variables:
        raise InventoryError("expected hosts, found none")
    return inventory


def _load(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader with two harmless tags more
    except yaml.YAMLError as error:
        # Not its text: that quotes the line at fault, which may hold a password.
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise InventoryError(f"expected YAML, found something else{where}; correct the file") from None


def _read_variables(folder: Path, inventory: Inventory) -> None:
    for name, group in inventory.groups.items():
        for variables in _variables(folder / "group_vars", name):
            group.file_variables.update(variables)
    for name in inventory.host_variables:
        for variables in _variables(folder / "host_vars", name):
            inventory.host_file_variables.setdefault(name, {}).update(variables)


def _variables(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    if "/" in name:
        return
    for suffix in _VARIABLE_SUFFIXES:
        path = folder / f"{name}{suffix}"
        if path.is_dir():
            for inner in sorted(inner for inner in path.rglob("*") if inner.is_file()):
                yield _read_variable_file(inner)
        elif path.is_file():
            yield _read_variable_file(path)


def _read_variable_file(path: Path) -> dict[str, Any]:
    text = path.read_text()
    if text.startswith("$ANSIBLE_VAULT"):
        return {f"{path.parent.name}/{path.name}": Encrypted()}
    document = json.loads(text) if path.suffix == ".json" else _load(text)
    if document is not None and not isinstance(document, dict):
        raise InventoryError(f"expected a mapping in {path}, found {type(document).__name__}")
    return document or {}
