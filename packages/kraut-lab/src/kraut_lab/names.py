"""The names a lab goes by on the machine: everything it makes starts with ``kr`` and can be found by its folder alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kraut_lab.errors import LabError

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?")


@dataclass(frozen=True)
class LabNames:
    """Names derived from the lab's folder, so that they are known even when the folder is gone.

    The id keeps labs of the same name in different state folders apart.
    """

    folder: Path

    @property
    def lab(self) -> str:
        """The lab's name: its folder's."""
        return self.folder.name

    @property
    def id(self) -> str:
        """Six hexadecimal digits, unique to the folder's absolute path."""
        return hashlib.sha256(str(self.folder.absolute()).encode()).hexdigest()[:6]

    @property
    def lock(self) -> Path:
        """The file whose holder may change the lab. Beside its folder: `down` removes the folder while it holds it."""
        return self.folder.with_name(f".{self.lab}.lock")

    @property
    def bridge(self) -> str:
        """The bridge's interface name; the names of the hosts' interfaces start with it."""
        return f"kr{self.id}"

    def link(self, index: int) -> str:
        """The bridge's end of a host's cable, within IFNAMSIZ (15 characters)."""
        return f"{self.bridge}h{index}"

    @property
    def namespace_prefix(self) -> str:
        """What the names of the lab's network namespaces start with."""
        return f"kr-{self.lab}-{self.id}-"

    def namespace(self, host: str) -> str:
        """A host's network namespace; also its machine name for systemd-nspawn."""
        return f"{self.namespace_prefix}{host}"

    @property
    def cgroup(self) -> str:
        """The lab's folder in each cgroup hierarchy that it uses."""
        return f"kraut-lab-{self.id}"


def check_sites(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of sites if they can be; each becomes part of host names.

    Raises:
        LabError: one is no DNS label of at most 32 characters, or stands there twice.
    """
    for name in names:
        if not _NAME.fullmatch(name):
            raise LabError(f"A site's name is a DNS label of at most 32 characters, such as east; found {name!r}.")
    if len(set(names)) != len(names):
        raise LabError(f"Each site needs a name of its own; found {', '.join(names)}.")
    return tuple(names)


def check_name(name: str) -> str:
    """Return the lab's name if it can be one.

    Raises:
        LabError: it is not a DNS label of at most 32 characters.
    """
    if not _NAME.fullmatch(name):
        raise LabError(
            f"A lab's name has at most 32 lower-case letters, digits and dashes, and no dash at its ends; found {name!r}."
        )
    return name
