"""``--limit``: which hosts of an inventory are meant (pure).

https://docs.ansible.com/ansible/latest/inventory_guide/intro_patterns.html: names and globs of hosts and groups,
joined by commas or colons; ``!`` leaves out, ``&`` keeps what both have.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from kraut_cli.inventory.model import ALL, InventoryError, InventoryHost


def limit_hosts(hosts: Sequence[InventoryHost], pattern: str) -> list[InventoryHost]:
    """The hosts that the pattern means, in their order. Raises InventoryError when it means none."""
    terms = [term.strip() for term in re.split(r"[,:]", pattern) if term.strip()]
    chosen = {host.name for host in hosts if any(_matches(host, term) for term in terms if term[0] not in "!&")}
    if all(term[0] in "!&" for term in terms):
        chosen = {host.name for host in hosts}
    for term in terms:
        named = {host.name for host in hosts if _matches(host, term.lstrip("!&"))}
        if term[0] == "&":
            chosen &= named
        elif term[0] == "!":
            chosen -= named
    if not chosen:
        raise InventoryError(f"expected hosts or groups of the inventory in --limit, found none for {pattern!r}")
    return [host for host in hosts if host.name in chosen]


def _matches(host: InventoryHost, term: str) -> bool:
    return term == ALL or any(fnmatchcase(name, term) for name in (host.name, *host.groups))
