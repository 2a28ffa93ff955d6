"""Host names that resolve inside a lab and nowhere else: each process gets an /etc/hosts of its own in a mount namespace.

mount_namespaces(7): what is mounted there goes with the process; the machine's own /etc/hosts is never touched. Without
root a user namespace (user_namespaces(7)) gives the right to do so.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kraut_lab.errors import MissingRequirementError
from kraut_lab.files import write_atomically

DOMAIN: Final = "lab.test"
"""Under ``test``, which RFC 6761 section 6.2 keeps free of real names."""

_UNDER: Final = 'mount --bind "$0" /etc/hosts && exec "$@"'


class HostNames:
    """The names of a lab; all of them are this machine, on loopback."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        """Args: folder: the lab's folder. names: without `DOMAIN`, e.g. ``oidc.east``."""
        self._file = folder / "hosts"
        self._names = tuple(names)

    def write(self) -> None:
        """Write the file: the machine's own entries, then the lab's."""
        lines = "".join(f"127.0.0.1 {full_name(name)}\n" for name in self._names)
        write_atomically(self._file, f"{Path('/etc/hosts').read_text().rstrip()}\n{lines}", mode=0o644)

    def wrap(self, argv: Sequence[str]) -> list[str]:
        """The command line that becomes ``argv`` where the lab's names resolve; the process id stays the same.

        Raises:
            MissingRequirementError: util-linux is not installed.
        """
        unshare = shutil.which("unshare")
        if unshare is None:
            raise MissingRequirementError("The lab's host names need unshare(1): install the package util-linux.")
        root = [] if os.geteuid() == 0 else ["--map-root-user"]
        return [unshare, "--mount", "--propagation=private", *root, "/bin/sh", "-c", _UNDER, str(self._file), *argv]


def full_name(name: str) -> str:
    """``oidc.east`` as the world of the lab sees it."""
    return f"{name}.{DOMAIN}"


def plain(argv: Sequence[str]) -> list[str]:
    """What `HostNames.wrap` is where no names are needed."""
    return list(argv)
