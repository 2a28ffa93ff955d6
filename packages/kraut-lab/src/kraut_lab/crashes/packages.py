"""The packages that the sweep updates."""

from __future__ import annotations

from typing import Final

from kraut_lab.apt import AptRepository, DebPackage

PACKAGES: Final = ("kraut-sweep-tool", "kraut-sweep-openssl", "kraut-sweep-kernel")
OLD, NEW = "1.0", "1.1"


def publish(repository: AptRepository) -> None:
    """Offer both versions of the packages; one is a security update, one asks for a reboot."""
    for version in (OLD, NEW):
        repository.publish(
            DebPackage(PACKAGES[0], version, postinst="sleep 1"),
            DebPackage(PACKAGES[1], version, security=True),
            DebPackage(PACKAGES[2], version, requires_reboot=True),
        )
