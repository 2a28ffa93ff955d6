"""The packages that every host has, and their updates that wait in the repository."""

from __future__ import annotations

from kraut_lab.apt.package import DebPackage

_CONFIGURATION = "/etc/kraut-demo/config.conf"


def installed_packages() -> list[DebPackage]:
    """Version 1.0 of each, installed on a fresh host."""
    return _packages("1.0")


def pending_packages() -> list[DebPackage]:
    """Version 1.1 of each: five updates, one of them from the security suite, one that asks for a reboot."""
    return _packages("1.1")


def _packages(version: str) -> list[DebPackage]:
    return [
        DebPackage("kraut-demo-tool", version),
        DebPackage("kraut-demo-openssl", version, security=True),
        DebPackage("kraut-demo-kernel", version, requires_reboot=True),
        DebPackage("kraut-demo-config", version, conffiles={_CONFIGURATION: f"# as shipped with {version}\n"}),
        DebPackage("kraut-demo-held", version),
    ]
