"""Hosts of an inventory as Hosts of kraut (pure)."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kraut_cli.hosts.manifests import Jump, Manifest, Wish, host_manifest
from kraut_cli.hosts.ssh_command import Destination
from kraut_cli.inventory.connection import Connection, NotOverSshError, connection_of
from kraut_cli.inventory.model import InventoryHost
from kraut_core.errors import InvalidSpecError

GROUP_LABEL: Final = "group.kraut.dev/"
"""Prefix of the label that an inventory group becomes; its value is empty, as with node roles."""

KnownKeys = Callable[[str, int], Sequence[str]]
"""Public-key lines that are known for an address and a port."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What is the same for every imported host. ``trust_on_first_use`` for hosts whose keys are not known."""

    namespace: str
    secret: str
    user: str | None = None
    site: str | None = None
    updates: str | None = None
    upgrade_policy: str | None = None
    trust_on_first_use: bool = False


@dataclass(frozen=True, slots=True)
class Translated:
    """``host`` is None when it could not be translated; ``left`` says what was not carried over, or why."""

    name: str
    host: Manifest | None
    left: tuple[str, ...]


def translate(hosts: Iterable[InventoryHost], defaults: Defaults, known_keys: KnownKeys) -> list[Translated]:
    """One result for each host, in their order."""
    taken: dict[str, str] = {}
    return [_translate(host, defaults, known_keys, taken) for host in hosts]


def _translate(host: InventoryHost, defaults: Defaults, known_keys: KnownKeys, taken: dict[str, str]) -> Translated:
    name = object_name(host.name)
    if earlier := taken.get(name):
        return Translated(host.name, None, (f"its name would be {name}, as that of {earlier}",))
    taken[name] = host.name
    try:
        connection = connection_of(host.name, host.variables)
        wish, left = _wish(name, connection, host, defaults, known_keys)
        manifest = host_manifest(wish)
    except (NotOverSshError, InvalidSpecError) as error:
        return Translated(host.name, None, (str(error),))
    renamed = [f"its name: it is called {name}"] if name != host.name else []
    return Translated(host.name, manifest, (*renamed, *left, *connection.left))


def _wish(
    name: str, connection: Connection, host: InventoryHost, defaults: Defaults, known_keys: KnownKeys
) -> tuple[Wish, list[str]]:
    labels = {f"{GROUP_LABEL}{group}": "" for group in host.groups if _is_label(group)}
    left = [f"group {group}: its name cannot be a label" for group in host.groups if not _is_label(group)]
    keys = known_keys(connection.address, connection.port or 22)
    if not keys and not defaults.trust_on_first_use:
        raise NotOverSshError(
            f"no host key of {connection.address} is in your known_hosts; connect once with ssh, or trust the first key with --accept-new"
        )
    wish = Wish(
        name=name,
        namespace=defaults.namespace,
        address=connection.address,
        secret=defaults.secret,
        port=connection.port,
        user=connection.user or defaults.user,
        site=defaults.site,
        updates=defaults.updates,
        upgrade_policy=defaults.upgrade_policy,
        host_keys=keys,
        trust_on_first_use=not keys,
        labels=labels,
    )
    return (replace(wish, jump=_jump(connection.jump, wish, known_keys)) if connection.jump else wish), left


def _jump(jump: Destination, wish: Wish, known_keys: KnownKeys) -> Jump:
    port = jump.port or 22
    keys = known_keys(jump.address, port)
    if not keys:
        raise NotOverSshError(
            f"no host key of its jump host {jump.address} is in your known_hosts; connect to it once with ssh"
        )
    return Jump(jump.address, port, jump.user or wish.user or "kraut", keys, wish.secret)


def object_name(name: str) -> str:
    """The name as Kubernetes takes it (RFC 1123 subdomain): lower case, other characters become ``-``."""
    return re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-.")[:253]


def _is_label(group: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", group) is not None
