"""An inventory: groups, the hosts in them, and variables of both (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kraut_cli.inventory.ranges import expand

ALL: Final = "all"
UNGROUPED: Final = "ungrouped"

Variables = Mapping[str, Any]


class InventoryError(ValueError):
    """The inventory cannot be read; the message says where and what was expected."""


@dataclass(slots=True)
class Group:
    """Hosts named in it directly, its children, and its variables; those from files beside the inventory apart."""

    hosts: list[str] = field(default_factory=list)
    children: list[str] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)
    file_variables: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InventoryHost:
    """A host with the groups it is in (parents included, ``all`` not) and its variables, most specific last."""

    name: str
    groups: tuple[str, ...]
    variables: Variables


@dataclass(slots=True)
class Inventory:
    """What the files say."""

    groups: dict[str, Group] = field(default_factory=lambda: {ALL: Group(), UNGROUPED: Group()})
    host_variables: dict[str, dict[str, Any]] = field(default_factory=dict)
    host_file_variables: dict[str, dict[str, Any]] = field(default_factory=dict)

    def group(self, name: str) -> Group:
        """The group of that name; a new one when there is none."""
        return self.groups.setdefault(name, Group())

    def add_hosts(self, group: str, pattern: str, variables: Variables) -> None:
        """Add what a pattern stands for to a group. Raises InventoryError for a range that cannot be read."""
        for name, port in _names(pattern):
            members = self.group(group).hosts
            if name not in members:
                members.append(name)
            of_host = self.host_variables.setdefault(name, {})
            of_host.update(({"ansible_port": port} if port else {}) | dict(variables))

    def hosts(self) -> list[InventoryHost]:
        """Every host, in the order of the inventory. Raises InventoryError when groups contain each other."""
        depths = self._depths()
        return [self._host(name, depths) for name in self.host_variables]

    def _host(self, name: str, depths: Mapping[str, int]) -> InventoryHost:
        mine = {group for group in self.groups if name in self._members(group)} - {ALL}
        ordered = sorted(mine, key=lambda group: (depths[group], self._priority(group), group))
        every = self.groups[ALL]
        # Ansible's order (VARIABLE_PRECEDENCE): files beside the inventory win over the inventory, whatever the group.
        layers = [
            every.variables,
            *(self.groups[group].variables for group in ordered),
            every.file_variables,
            *(self.groups[group].file_variables for group in ordered),
            self.host_variables[name],
            self.host_file_variables.get(name, {}),
        ]
        merged: dict[str, Any] = {}
        for layer in layers:
            merged.update(layer)
        named = tuple(sorted(mine - {UNGROUPED}))
        return InventoryHost(name, named, {key: merged[key] for key in merged if key != "ansible_group_priority"})

    def _priority(self, group: str) -> int:
        return int(self.groups[group].variables.get("ansible_group_priority", 1))

    def _members(self, group: str) -> set[str]:
        found = self.groups[group]
        return set(found.hosts).union(*(self._members(child) for child in found.children))

    def _depths(self) -> dict[str, int]:
        depths = dict.fromkeys(self.groups, 0)
        for start in self.groups:
            self._descend(start, (), depths)
        return depths

    def _descend(self, group: str, above: tuple[str, ...], depths: dict[str, int]) -> None:
        if group in above:
            raise InventoryError(f"expected groups without loops, found {' > '.join((*above, group))}")
        depths[group] = max(depths[group], len(above))
        for child in self.groups[group].children:
            self._descend(child, (*above, group), depths)


def _names(pattern: str) -> list[tuple[str, int | None]]:
    address, port = split_port(pattern)
    try:
        return [(name, port) for name in expand(address)]
    except ValueError as error:
        raise InventoryError(str(error)) from None


def split_port(pattern: str) -> tuple[str, int | None]:
    """A host pattern and its port: ``web1:2222``, ``[2001:db8::1]:2222``; a bare IPv6 address has none."""
    head, colon, tail = pattern.rpartition(":")
    if (
        not colon
        or not tail.isdigit()
        or head.count("[") != head.count("]")
        or (":" in head and not head.endswith("]"))
    ):
        return pattern, None
    if head.startswith("[") and head.count(":") > 1:
        return head[1:-1], int(tail)
    return head, int(tail)
