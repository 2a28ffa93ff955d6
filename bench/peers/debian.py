"""Peers out of Debian's archive, unpacked beside the others: nothing is installed into the machine."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

from bench.peers.build import cache_folder


class PeerMissingError(Exception):
    """A peer cannot be had on this machine; the figure goes on without it and says so."""


@cache
def debian_program(package: str, path: str) -> Path:
    """The program at ``path`` of a package's newest version, verified by apt. Raises PeerMissingError."""
    version = _newest(package)
    target = cache_folder() / f"{package}-{version}"
    program = target / path
    if not program.exists():
        _unpack(f"{package}={version}", target)
    done = subprocess.run([program, "-v"], capture_output=True, check=False)
    if done.returncode != 0:
        raise PeerMissingError(f"{package} of Debian does not run here: {done.stderr.decode()[-300:]}")
    return program


def _newest(package: str) -> str:
    if shutil.which("apt-cache") is None:
        raise PeerMissingError(f"{package} is taken from Debian's archive, and there is no apt here")
    policy = _run(["apt-cache", "policy", package])
    found = [line.split()[1] for line in policy.splitlines() if line.strip().startswith("Candidate:")]
    if not found or found[0] == "(none)":
        raise PeerMissingError(f"apt knows no {package}; run apt-get update")
    return found[0]


def _unpack(package: str, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    _run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", package], cwd=target)
    for archive in target.glob("*.deb"):
        _run(["dpkg-deb", "--extract", str(archive), str(target)])


def _run(argv: list[str], *, cwd: Path | None = None) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PeerMissingError(f"{' '.join(argv[:2])} failed: {done.stderr[-300:]}")
    return done.stdout
