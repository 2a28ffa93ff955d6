"""Debian packages made for the lab, with maintainer scripts that leave a trace (Debian Policy, chapter 6)."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kraut_lab.programs import run

MAINTAINER_LOG: Final = "/var/log/kraut-lab-maintainer.log"
"""On a host: one line ``<UTC time> <package> <version> <boot id>`` per configured package, to count effects by."""

# The same files as Debian's own kernels and Ubuntu's update-notifier write.
_ASK_FOR_REBOOT = """\
echo '*** System restart required ***' >/run/reboot-required
grep -qsx "$DPKG_MAINTSCRIPT_PACKAGE" /run/reboot-required.pkgs ||
  echo "$DPKG_MAINTSCRIPT_PACKAGE" >>/run/reboot-required.pkgs
"""

_POSTINST = """\
#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
{before}
echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) {name} {version} $(cat /proc/sys/kernel/random/boot_id)" >>{log}
{after}
"""


@dataclass(frozen=True)
class DebPackage:
    """One version of one package, architecture ``all``."""

    name: str
    version: str = "1.0"
    security: bool = False
    """Whether it is published in the suite that calls itself Debian's security archive."""
    requires_reboot: bool = False
    """Whether its postinst writes /run/reboot-required and /run/reboot-required.pkgs."""
    conffiles: Mapping[str, str] = field(default_factory=dict)
    """Absolute path -> content of files that dpkg treats as the administrator's."""
    depends: str = ""
    """The field ``Depends``, e.g. ``kraut-demo-tool (>= 1.1)``."""
    postinst: str = ""
    """POSIX shell run before the line in `MAINTAINER_LOG` is written; see `postinst_waits_for` and others."""

    @property
    def suite(self) -> str:
        """The suite it is published in."""
        return "lab-security" if self.security else "lab"

    @property
    def file_name(self) -> str:
        """``<name>_<version>_all.deb``."""
        return f"{self.name}_{self.version}_all.deb"


def postinst_waits_for(path: str) -> str:
    """Shell for `DebPackage.postinst`: wait until a file exists on the host (an update as long as a test needs)."""
    return f"until [ -e {shlex.quote(path)} ]; do sleep 0.1; done"


def postinst_fails_while(path: str) -> str:
    """Shell for `DebPackage.postinst`: fail, as a broken package does, while a file exists on the host."""
    return f"if [ -e {shlex.quote(path)} ]; then echo 'kraut-lab: told to fail' >&2; exit 1; fi"


def control_file(package: DebPackage) -> str:
    """The package's control file (deb-control(5))."""
    fields = {
        "Package": package.name,
        "Version": package.version,
        "Architecture": "all",
        "Maintainer": "kraut lab <lab@kraut.dev>",
        "Section": "misc",
        "Priority": "optional",
        "Depends": package.depends,
        "Description": "package of kraut's lab, to be updated and counted",
    }
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value)


def postinst_script(package: DebPackage) -> str:
    """The package's postinst."""
    after = _ASK_FOR_REBOOT if package.requires_reboot else ""
    return _POSTINST.format(
        before=package.postinst, name=package.name, version=package.version, log=MAINTAINER_LOG, after=after
    )


def build_package(package: DebPackage, folder: Path) -> Path:
    """Build the package with dpkg-deb into ``folder`` and return the file's path."""
    target = folder / package.file_name
    folder.mkdir(parents=True, exist_ok=True)
    # Not below the pool: what a crash leaves here is never indexed.
    with tempfile.TemporaryDirectory(prefix=".build-", dir=folder.parent) as temporary:
        tree = Path(temporary) / "tree"
        _write(tree / "DEBIAN" / "control", control_file(package))
        _write(tree / "DEBIAN" / "postinst", postinst_script(package), mode=0o755)
        _write(tree / "usr/share/doc" / package.name / "README", f"{package.name} {package.version}\n")
        for path, content in package.conffiles.items():
            _write(tree / path.lstrip("/"), content)
        if package.conffiles:
            _write(tree / "DEBIAN" / "conffiles", "".join(f"{path}\n" for path in package.conffiles))
        partial = Path(temporary) / package.file_name
        run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(partial)])
        partial.replace(target)
    return target


def _write(path: Path, content: str, *, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in (path.parent, *path.parent.parents):
        if folder.name == "tree":
            break
        folder.chmod(0o755)
    path.write_text(content)
    path.chmod(mode)
