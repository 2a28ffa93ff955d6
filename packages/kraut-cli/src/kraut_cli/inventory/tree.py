"""Ansible's YAML format, and the JSON that ``ansible-inventory --list`` prints (pure).

https://docs.ansible.com/ansible/latest/collections/ansible/builtin/yaml_inventory.html
https://docs.ansible.com/ansible/latest/dev_guide/developing_inventory.html#inventory-scripts
"""

from typing import Any

from kraut_cli.inventory.model import ALL, UNGROUPED, Inventory, InventoryError


def parse_tree(document: Any, inventory: Inventory) -> None:
    """Read a decoded YAML inventory into ``inventory``. Raises InventoryError."""
    for name, body in _mapping(document, "the inventory").items():
        _group(str(name), body, inventory)


def _group(name: str, body: Any, inventory: Inventory) -> None:
    parts = _mapping(body, f"group {name}")
    unknown = set(parts) - {"hosts", "vars", "children"}
    if unknown:
        raise InventoryError(
            f"expected hosts, vars or children in group {name}, found {', '.join(sorted(map(str, unknown)))}"
        )
    group = inventory.group(name)
    group.variables.update(_mapping(parts.get("vars"), f"vars of group {name}"))
    for pattern, variables in _mapping(parts.get("hosts"), f"hosts of group {name}").items():
        # A host named below `all` alone belongs to no group of its own.
        of_host = _mapping(variables, f"host {pattern}")
        inventory.add_hosts(UNGROUPED if name == ALL else name, str(pattern), of_host)
    for child, its_body in _mapping(parts.get("children"), f"children of group {name}").items():
        if name != ALL:
            group.children.append(str(child))
        _group(str(child), its_body, inventory)


def parse_listing(document: dict[str, Any], inventory: Inventory) -> None:
    """Read the decoded output of ``ansible-inventory --list`` into ``inventory``. Raises InventoryError."""
    of_hosts = _mapping(_mapping(document.get("_meta"), "_meta").get("hostvars"), "_meta.hostvars")
    for name, body in document.items():
        if name == "_meta":
            continue
        # The format allows a bare list of hosts for a group.
        parts = {"hosts": body} if isinstance(body, list) else _mapping(body, f"group {name}")
        group = inventory.group(name)
        group.variables.update(_mapping(parts.get("vars"), f"vars of group {name}"))
        if name != ALL:
            group.children.extend(parts.get("children") or [])
        for host in parts.get("hosts") or []:
            inventory.add_hosts(UNGROUPED if name == ALL else name, str(host), {})
        for child in parts.get("children") or []:
            inventory.group(child)
    for host, variables in of_hosts.items():
        inventory.host_variables.setdefault(host, {}).update(_mapping(variables, f"variables of host {host}"))


def _mapping(value: Any, what: str) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, str) and " " not in value:
        # `hosts: web1` without a colon after it: Ansible takes one such name.
        return {value: None}
    if not isinstance(value, dict):
        raise InventoryError(f"expected a mapping for {what}, found {type(value).__name__}")
    return value
