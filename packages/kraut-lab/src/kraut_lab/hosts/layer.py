"""What all hosts of one lab share on top of the base: users, keys, the packages that wait for their update."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from kraut_lab.files import write_atomically
from kraut_lab.hosts.users import sudoers_file
from kraut_lab.processes import MARKER
from kraut_lab.programs import run

# Timers that would update package lists or packages at times of their own: a lab is to be repeatable.
_MASKED_UNITS = ("apt-daily.timer", "apt-daily-upgrade.timer")

_MOUNT_AND_ENTER = """\
set -eu
mount -t overlay kraut-lab-layer -o "lowerdir=$1,upperdir=$2,workdir=$3" "$4"
mount -t proc proc "$4/proc"
mount -o ro,bind "$5" "$4/mnt"
exec chroot "$4" /bin/sh -s
"""


def ensure_layer(folder: Path, base: Path, *, packages_folder: Path, packages: Sequence[str], script: str) -> Path:
    """Return the layer's folder, to be put over ``base`` by an overlay mount; made first when it is not whole.

    Args:
        folder: where it is to be.
        base: the unpacked base system.
        packages_folder: folder with ``packages``.
        packages: paths of Debian packages to install, relative to ``packages_folder``.
        script: POSIX shell to run as root inside, first.
    """
    done = folder / "done"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("layer", "work", "root"):
            (folder / name).mkdir(parents=True)
        (folder / "layer").chmod(0o755)
        _write_files(folder / "layer")
        install = f"dpkg --install {' '.join(f'/mnt/{package}' for package in packages)}\n" if packages else ""
        _run_inside(folder, base, packages_folder, script + install)
        done.touch()
    return folder / "layer"


def _write_files(root: Path) -> None:
    write_file(root, "etc/sudoers.d/kraut-lab", sudoers_file(), mode=0o440)
    write_file(root, "etc/resolv.conf", "# kraut-lab: no name server is reachable\n")
    for unit in _MASKED_UNITS:
        link = root / "etc/systemd/system" / unit
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to("/dev/null")


def write_file(root: Path, path: str, content: str, *, mode: int = 0o644) -> None:
    """Write a file of a host's system below ``root``, the folders above it readable by all."""
    target = root / path
    for parent in reversed(target.relative_to(root).parents):
        if not (root / parent).is_dir():
            (root / parent).mkdir(mode=0o755)
    write_atomically(target, content, mode=mode)


def _run_inside(folder: Path, base: Path, packages: Path, script: str) -> None:
    # In namespaces of its own: whatever kills this, nothing stays mounted and nothing keeps running.
    isolated = ["unshare", "--mount", "--pid", "--kill-child", "--propagation=slave"]
    paths = (base, folder / "layer", folder / "work", folder / "root", packages)
    shell = ["/bin/sh", "-c", _MOUNT_AND_ENTER, "layer", *map(str, paths)]
    # Marked, so that `down` finds it when the process that waits for it is killed.
    environment = {"DEBIAN_FRONTEND": "noninteractive", MARKER: str(folder.parent.parent)}
    run([*isolated, *shell], stdin=script, env=environment)
