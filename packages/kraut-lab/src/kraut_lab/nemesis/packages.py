"""The packages that are updated over and over while faults strike; their maintainer scripts are witnesses."""

from __future__ import annotations

from typing import Final

from kraut_lab.apt import DebPackage
from kraut_lab.nemesis.witness import note_effect

PACKAGES: Final = ("kraut-nemesis-tool", "kraut-nemesis-openssl", "kraut-nemesis-kernel")
REBOOTING: Final = PACKAGES[2]
"""Asks for a reboot each time that it is configured."""
FIRST_VERSION: Final = "1.0"


def package(name: str, version: str) -> DebPackage:
    """One version; the second is a security update, the third asks for a reboot."""
    return DebPackage(
        name,
        version,
        security=name == PACKAGES[1],
        requires_reboot=name == REBOOTING,
        postinst=note_effect(name, version, seconds=3),
    )


def following(version: str) -> str:
    """The version after this one."""
    major, _, minor = version.partition(".")
    return f"{major}.{int(minor) + 1}"
