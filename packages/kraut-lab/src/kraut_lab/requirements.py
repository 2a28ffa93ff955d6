"""What the machine must have, told in one sentence before anything is made."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kraut_lab.errors import MissingRequirementError
from kraut_lab.programs import is_installed, run

# Program -> the Debian package that has it.
HOST_PROGRAMS: Final[Mapping[str, str]] = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "nft": "nftables",
    "ip": "iproute2",
    "apt-ftparchive": "apt-utils",
    "dpkg-deb": "dpkg",
    "ssh-keygen": "openssh-client",
    "nsenter": "util-linux",
}

# What Keycloak is fetched and run with, likewise; a lab without it needs none of them.
KEYCLOAK_PROGRAMS: Final[Mapping[str, str]] = {"java": "default-jre-headless", "mvn": "maven"}

# mmdebstrap verifies Debian's archive with these keys, which other distributions do not have by default.
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def check_linux() -> None:
    """Raises MissingRequirementError when this is not Linux."""
    if sys.platform != "linux":
        raise MissingRequirementError(
            f"A lab needs Linux (namespaces, systemd-nspawn), this is {sys.platform}: run it in a Debian 12 virtual machine."
        )


def check_host_requirements() -> None:
    """Check what real hosts need.

    Raises:
        MissingRequirementError: not Linux, not root, or a Debian package is missing; the sentence says what to do.
    """
    check_linux()
    if os.geteuid() != 0:
        raise MissingRequirementError(
            "Hosts need root (network namespaces, overlay mounts), you are not: run it as root, or use --hosts 0."
        )
    if missing := missing_packages():
        raise MissingRequirementError(
            f"Hosts need Debian packages that are missing here: run `apt-get install {' '.join(missing)}` or `kraut lab setup`."
        )


def missing_packages() -> list[str]:
    """The Debian packages that hosts need and that are not installed."""
    missing = {package for program, package in HOST_PROGRAMS.items() if not is_installed(program)}
    return sorted(missing if _KEYRING.exists() else {*missing, "debian-archive-keyring"})


def install_packages() -> list[str]:
    """Install the missing Debian packages, of hosts and of Keycloak, with apt-get, as root, and return them.

    Raises:
        MissingRequirementError: not Linux, not root, or apt-get is missing.
        LabError: apt-get failed.
    """
    check_linux()
    keycloak = {package for program, package in KEYCLOAK_PROGRAMS.items() if not is_installed(program)}
    missing = sorted({*missing_packages(), *keycloak})
    if not missing:
        return []
    if os.geteuid() != 0 or not is_installed("apt-get"):
        raise MissingRequirementError(
            f"Installing {', '.join(missing)} needs root and apt-get: run `kraut lab setup` as root on Debian or Ubuntu."
        )
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "-q", "update"], env=environment)
    run(["apt-get", "-q", "-y", "install", "--no-install-recommends", *missing], env=environment)
    return missing
