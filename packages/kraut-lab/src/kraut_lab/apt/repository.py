"""The lab's apt repository: two archives, published to at any time, taken down and up at will."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from kraut_lab.apt.package import DebPackage, build_package
from kraut_lab.daemon import Daemon
from kraut_lab.files import file_lock, read_json, write_atomically, write_json
from kraut_lab.ports import choose_ports
from kraut_lab.programs import run
from kraut_lab.waiting import accepts

# Archive -> (distribution, fields of its Release file). The second calls itself what Debian's security archive does
# (https://deb.debian.org/debian-security/dists/bookworm-security/Release), since that is how updates are told apart.
_ARCHIVES: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "lab": ("lab", {"Origin": "kraut lab", "Label": "kraut-lab", "Suite": "lab", "Codename": "lab", "Version": "12"}),
    "lab-security": (
        "bookworm-security",
        {
            "Origin": "Debian",
            "Label": "Debian-Security",
            "Suite": "stable-security",
            "Codename": "bookworm-security",
            "Version": "12",
        },
    ),
}

_SERVER = Path(__file__).with_name("server.py")


class AptRepository:
    """The repository in the lab's folder, served over HTTP on one address."""

    def __init__(self, folder: Path, *, proxies: Mapping[str, str] | None = None) -> None:
        """Args:
        folder: the lab's folder.
        proxies: first path segment -> URL of an archive that is passed through, e.g. Debian's own.
        """
        self.root = folder / "apt"
        self.daemon = Daemon(folder, "apt-repository")
        self._proxies = dict(proxies or {})

    def publish(self, *packages: DebPackage) -> None:
        """Build packages and offer them to every host's next ``apt-get update``."""
        with file_lock(self.root / ".lock"):
            for package in packages:
                build_package(package, self._pool(package.suite))
            self._index()

    def withdraw(self, *packages: DebPackage) -> None:
        """Offer these versions no longer."""
        with file_lock(self.root / ".lock"):
            for package in packages:
                self.package_file(package).unlink(missing_ok=True)
            self._index()

    def package_file(self, package: DebPackage) -> Path:
        """Where a published package's file is."""
        return self._pool(package.suite) / package.file_name

    def sources(self, address: IPv4Address, suite: str) -> str:
        """The lines of a host's sources.list (sources.list(5)); ``suite`` is its Debian codename."""
        base = f"http://{address}:{self._port(address)}"
        lines = [f"deb [trusted=yes] {base}/{name} {archive[0]} main" for name, archive in _ARCHIVES.items()]
        if "debian" in self._proxies:
            lines += [f"deb {base}/debian {pocket} main" for pocket in (suite, f"{suite}-updates")]
            lines.append(f"deb {base}/debian-security {suite}-security main")
        return "".join(f"{line}\n" for line in lines)

    def start(self, address: IPv4Address) -> None:
        """Serve the repository on an address of this machine, unless that is done already."""
        port = self._port(address)
        argv = [sys.executable, "-I", str(_SERVER), str(address), str(port), str(self.root)]
        self.daemon.start([*argv, *(f"{segment}={url}" for segment, url in self._proxies.items())])
        self.daemon.wait_ready(lambda: accepts(str(address), port), "accepts connections")

    def stop(self) -> None:
        """Take the repository down: connections are refused until `start`."""
        self.daemon.stop(grace=0)

    def _port(self, address: IPv4Address) -> int:
        file = self.root / "server.json"
        recorded = read_json(file)
        if recorded is None:
            recorded = {"port": choose_ports(1, str(address))[0]}
            write_json(file, recorded)
        return int(recorded["port"])

    def _pool(self, archive: str) -> Path:
        return self.root / archive / "pool"

    def _index(self) -> None:
        for archive, (distribution, fields) in _ARCHIVES.items():
            top = self.root / archive
            self._pool(archive).mkdir(parents=True, exist_ok=True)
            packages = _ftparchive(top, "packages", "pool")
            index = top / "dists" / distribution / "main" / "binary-amd64"
            # By hash first: a client that has just read the former Release still finds what that one names, by the strongest.
            digest = hashlib.sha512(packages.encode()).hexdigest()
            write_atomically(index / "by-hash" / "SHA512" / digest, packages, mode=0o644)
            write_atomically(index / "Packages", packages, mode=0o644)
            _replace(top / "dists" / distribution / "Release", _release(top, distribution, fields))


def _replace(file: Path, content: str) -> None:
    """Write a file that HTTP clients can tell from the one before: Last-Modified counts in seconds."""
    later = int(file.stat().st_mtime) + 1 if file.exists() else 0
    write_atomically(file, content, mode=0o644)
    modified = max(later, int(time.time()))
    os.utime(file, (modified, modified))


def _release(top: Path, distribution: str, fields: Mapping[str, str]) -> str:
    described = {**fields, "Architectures": "amd64 all", "Components": "main", "Acquire-By-Hash": "yes"}
    options = [f"-oAPT::FTPArchive::Release::{name}={value}" for name, value in described.items()]
    return _ftparchive(top, *options, "release", f"dists/{distribution}")


def _ftparchive(top: Path, *arguments: str) -> str:
    return run(["env", f"--chdir={top}", "apt-ftparchive", *arguments]).stdout
