"""The base system of hosts: a Debian release made by mmdebstrap, cached for all labs of the machine."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from kraut_lab.files import file_lock
from kraut_lab.programs import run
from kraut_lab.progress import Progress, silent

_PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "iproute2", "nftables", "procps", "kmod"),
    "ca-certificates",
)

# What must differ between hosts is not part of what they share.
_CUSTOMIZE = 'rm -f "$1"/etc/ssh/ssh_host_*_key* && : >"$1/etc/machine-id" && : >"$1/etc/resolv.conf"'


@dataclass(frozen=True)
class HostImage:
    """A Debian release with systemd, sshd, sudo and apt, and what else is wanted."""

    suite: str = "bookworm"
    """Debian codename: ``bullseye``, ``bookworm``, ``trixie``."""
    packages: tuple[str, ...] = ()
    """More packages from that release, e.g. ``("needrestart",)``."""

    @property
    def key(self) -> str:
        """Folder name in the cache: changes with everything that goes into the image."""
        recipe = "\n".join([self.suite, *_PACKAGES, "", *sorted(self.packages), _CUSTOMIZE])
        return f"{self.suite}-{hashlib.sha256(recipe.encode()).hexdigest()[:10]}"

    def root(self, cache_dir: Path) -> Path:
        """Where the unpacked system is, once `ensure_image` has run."""
        return cache_dir / "hosts" / self.key


def ensure_image(image: HostImage, cache_dir: Path, *, mirror: str, progress: Progress = silent) -> Path:
    """Return the folder of the unpacked system, made first when it is not in the cache (20-60 s).

    Args:
        mirror: URL of Debian's archive.

    Raises:
        LabError: mmdebstrap failed; the message carries what it said.
    """
    target = image.root(cache_dir)
    waiting = f"waiting for another process that makes the Debian {image.suite} base"
    with file_lock(target.with_name(f".{image.key}.lock"), on_wait=lambda: progress(waiting)):
        if not target.is_dir():
            progress(f"making the Debian {image.suite} base (once; kept in {target})")
            _make(image, target, mirror)
    return target


def _make(image: HostImage, target: Path, mirror: str) -> None:
    partial = target.with_name(f".{image.key}.partial")
    if partial.exists():
        shutil.rmtree(partial)
    include = ",".join([*_PACKAGES, *image.packages])
    # Namespaces of its own: whatever kills this, nothing stays mounted and nothing keeps running.
    isolated = ["unshare", "--mount", "--pid", "--kill-child", "--propagation=slave", "--mount-proc"]
    orphan_guard = ["setpriv", "--pdeathsig=KILL"]
    mmdebstrap = ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={include}", "--format=directory"]
    arguments = [f"--customize-hook={_CUSTOMIZE}", image.suite, str(partial), mirror]
    run([*orphan_guard, *isolated, *mmdebstrap, *arguments])
    partial.rename(target)
