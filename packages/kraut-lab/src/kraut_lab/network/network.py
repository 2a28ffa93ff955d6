"""The bridge and the namespaces of a lab, made with iproute2; every step can be repeated."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

from kraut_lab.files import file_lock
from kraut_lab.names import LabNames
from kraut_lab.network.subnet import choose_subnet
from kraut_lab.programs import run

_MACHINE_LOCK = Path("/run/kraut-lab.lock")
_NAMESPACES = Path("/run/netns")
_FIRST_HOST = 10
_INTERFACE = "host0"


class LabNetwork:
    """One bridge with the address .1 of a /24, and a namespace with an address of its own for each host."""

    def __init__(self, names: LabNames) -> None:
        self._names = names

    def create_bridge(self, *, wish: IPv4Network | None = None) -> IPv4Network:
        """Make the bridge unless it is there and return its network.

        The bridge's address is the only record of which networks are taken, so no crash can leave a wrong one;
        a lock of the machine makes choosing and taking one step.
        """
        with file_lock(_MACHINE_LOCK):
            bridge = self._names.bridge
            run(["ip", "link", "add", bridge, "type", "bridge"], check=not self._exists(bridge))
            subnet = self.subnet() or choose_subnet(_networks_in_use(), wish=wish)
            run(["ip", "addr", "replace", f"{subnet[1]}/{subnet.prefixlen}", "dev", bridge])
            run(["ip", "link", "set", bridge, "up"])
            return subnet

    def subnet(self) -> IPv4Network | None:
        """The network that the bridge has now, None without a bridge."""
        found = run(["ip", "-json", "-4", "addr", "show", "dev", self._names.bridge], check=False)
        for link in json.loads(found.stdout or "[]"):
            for address in link.get("addr_info", []):
                return IPv4Interface(f"{address['local']}/{address['prefixlen']}").network
        return None

    def attach(self, host: str, index: int, subnet: IPv4Network) -> IPv4Address:
        """Make a host's namespace and its cable to the bridge unless they are there, and return its address."""
        namespace, link = self._names.namespace(host), self._names.link(index)
        address = self.address(index, subnet)
        if not self._is_mounted(namespace):
            (_NAMESPACES / namespace).unlink(missing_ok=True)
            run(["ip", "netns", "add", namespace])
        if not self._exists(link):
            run(["ip", "link", "add", link, "type", "veth", "peer", "name", _INTERFACE, "netns", namespace])
        run(["ip", "link", "set", link, "master", self._names.bridge, "up"])
        for argv in (
            ["link", "set", "lo", "up"],
            ["addr", "replace", f"{address}/{subnet.prefixlen}", "dev", _INTERFACE],
            ["link", "set", _INTERFACE, "up"],
        ):
            run(["ip", "-n", namespace, *argv])
        return address

    def address(self, index: int, subnet: IPv4Network) -> IPv4Address:
        """The address of the host with that index, from 0."""
        return subnet[_FIRST_HOST + index]

    def remove(self) -> None:
        """Remove every namespace and interface of this lab, whatever is left of them."""
        for link in _links():
            if link.startswith(self._names.bridge):
                run(["ip", "link", "delete", link], check=False)
        for namespace in self.namespaces():
            _delete_namespace(namespace)

    def namespaces(self) -> list[str]:
        """The names of this lab's network namespaces."""
        prefix = self._names.namespace_prefix
        return sorted(entry.name for entry in _NAMESPACES.glob(f"{prefix}*")) if _NAMESPACES.is_dir() else []

    def left(self) -> list[str]:
        """What of this lab's network is on the machine: interfaces and namespaces."""
        links = [link for link in _links() if link.startswith(self._names.bridge)]
        return [*links, *self.namespaces()]

    @staticmethod
    def _exists(link: str) -> bool:
        return Path("/sys/class/net", link).exists()

    @staticmethod
    def _is_mounted(namespace: str) -> bool:
        return f" {_NAMESPACES / namespace} " in Path("/proc/self/mountinfo").read_text()


def namespace_inode(namespace: str) -> int | None:
    """The inode that identifies a network namespace in /proc/PID/ns/net; None when it is not there."""
    try:
        return (_NAMESPACES / namespace).stat().st_ino
    except FileNotFoundError:
        return None


def _delete_namespace(namespace: str) -> None:
    # Interrupted in the middle, `ip netns add` leaves a plain file, which `ip netns delete` cannot unmount.
    run(["ip", "netns", "delete", namespace], check=False)
    (_NAMESPACES / namespace).unlink(missing_ok=True)


def _links() -> list[str]:
    return sorted(entry.name for entry in Path("/sys/class/net").iterdir())


def _networks_in_use() -> list[IPv4Network]:
    routes: list[dict[str, Any]] = json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"]).stdout)
    destinations = (str(route.get("dst", "default")) for route in routes)
    return [IPv4Network(destination, strict=False) for destination in destinations if destination != "default"]
