"""What the environment tells the lab: read here and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from pydantic import Field

from kraut_core.settings import Settings, SettingsGroup, load_settings

ASSETS_VARIABLE: Final = "KUBEBUILDER_ASSETS"
"""envtest's convention, honoured when KRAUT_LAB_ASSETS is not set."""


def _xdg(variable: str, fallback: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / fallback)


def _kubebuilder_assets() -> Path | None:
    return Path(os.environ[ASSETS_VARIABLE]) if os.environ.get(ASSETS_VARIABLE) else None


class LabSettings(SettingsGroup):
    """Where a lab keeps things and where its parts come from."""

    cache_dir: Path = Field(
        default_factory=lambda: _xdg("XDG_CACHE_HOME", ".cache") / "kraut",
        description="Folder of binaries and base images, shared by all labs. Default $XDG_CACHE_HOME/kraut.",
    )
    state_dir: Path = Field(
        default_factory=lambda: _xdg("XDG_STATE_HOME", ".local/state") / "kraut" / "lab",
        description="Folder with one folder per lab. Default $XDG_STATE_HOME/kraut/lab.",
    )
    assets: Path | None = Field(
        default_factory=_kubebuilder_assets,
        description="Folder with etcd, kube-apiserver and kube-controller-manager. Default $KUBEBUILDER_ASSETS, envtest's convention; none: cache, mirror, build.",
    )
    mirror: str | None = Field(
        default=None,
        pattern=r"^https?://.+",
        description="Base URL with the layout of Kubernetes' download site, <base>/<version>/bin/linux/<arch>/<binary> and <binary>.sha256. Default none: binaries are built from Go modules.",
    )
    debian_mirror: str = Field(
        default="http://deb.debian.org/debian",
        pattern=r"^https?://.+",
        description="Debian archive that the hosts' base system comes from. Default http://deb.debian.org/debian.",
    )
    debian_security_mirror: str = Field(
        default="http://deb.debian.org/debian-security",
        pattern=r"^https?://.+",
        description="Debian's security archive, for hosts with --debian-updates. Default http://deb.debian.org/debian-security.",
    )


class LabEnvironment(Settings):
    """The variables that ``kraut lab`` reads."""

    lab: LabSettings = Field(default_factory=LabSettings)


def load_lab_settings() -> LabSettings:
    """Read the settings from the environment.

    Raises:
        kraut_core.settings.SettingsError: a variable cannot be.
    """
    return load_settings(LabEnvironment).lab
