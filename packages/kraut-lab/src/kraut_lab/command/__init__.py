"""``kraut lab``: the group that the entry point ``kraut.commands`` names."""

from kraut_lab.command.group import lab

__all__ = ["lab"]
