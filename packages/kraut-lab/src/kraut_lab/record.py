"""What a lab was asked to be: kept in ``lab.json`` so that any later process finds it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from kraut_lab.errors import LabError
from kraut_lab.files import read_json, write_json
from kraut_lab.hosts.image import HostImage

_MOST_HOSTS = 240


@dataclass(frozen=True)
class HostRecord:
    """One host: its index gives its address and never changes."""

    name: str
    index: int
    image: HostImage


@dataclass(frozen=True)
class LabRecord:
    """Everything about a lab that cannot be seen on the machine."""

    hosts: tuple[HostRecord, ...] = field(default_factory=tuple)
    subnet: str | None = None
    debian_updates: bool = False
    kubernetes: str | None = None
    """A pinned minor, None for the newest."""
    sites: tuple[str, ...] = ()
    """Names of clusters that trust each other, the home cluster first; empty: one cluster with an issuer of its own."""
    dex: bool = False
    keycloak: bool = False

    def including(self, asked: LabRecord) -> LabRecord:
        """This record, provided that it already is what is asked for in the things that cannot change.

        Raises:
            LabError: it is not.
        """
        if asked.debian_updates and not self.debian_updates:
            raise LabError(
                "Debian's updates are chosen for a new lab, this one is without: run `kraut lab down` first."
            )
        if asked.kubernetes and asked.kubernetes != self.kubernetes:
            raise LabError(
                f"Kubernetes {asked.kubernetes} is chosen for a new lab, this one has {self.kubernetes or 'the newest'}: "
                "run `kraut lab down` first."
            )
        if asked.sites and asked.sites != self.sites:
            raise LabError(
                f"Sites are chosen for a new lab, this one has {', '.join(self.sites) or 'none'}: run `kraut lab down` first."
            )
        return replace(self, dex=self.dex or asked.dex, keycloak=self.keycloak or asked.keycloak)

    def with_hosts(self, count: int, image: HostImage) -> LabRecord:
        """Add hosts until there are ``count``.

        Raises:
            LabError: there are more already, or ``count`` is more than a lab's network holds.
        """
        if count > _MOST_HOSTS:
            raise LabError(f"A lab has at most {_MOST_HOSTS} hosts (one /24), asked for {count}: start a second lab.")
        if count < len(self.hosts):
            raise LabError(
                f"The lab has {len(self.hosts)} hosts, more than the {count} asked for: run `kraut lab down` first."
            )
        added = (HostRecord(f"host-{index + 1}", index, image) for index in range(len(self.hosts), count))
        return replace(self, hosts=(*self.hosts, *added))


def read_record(folder: Path) -> LabRecord | None:
    """The record of the lab in a folder; None when there is none."""
    document = read_json(folder / "lab.json")
    if document is None:
        return None
    hosts = tuple(_read_host(host) for host in document["hosts"])
    return LabRecord(**{**document, "hosts": hosts, "sites": tuple(document.get("sites", ()))})


def write_record(folder: Path, record: LabRecord) -> None:
    """Write the record atomically."""
    write_json(folder / "lab.json", asdict(record))


def _read_host(document: dict[str, Any]) -> HostRecord:
    image = document["image"]
    return HostRecord(document["name"], document["index"], HostImage(image["suite"], tuple(image["packages"])))
