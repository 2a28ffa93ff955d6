"""Binaries from a mirror with the layout of Kubernetes' own download site, verified by their SHA-256."""

from __future__ import annotations

import hashlib
import platform
import urllib.error
import urllib.request
from pathlib import Path

from kraut_lab.assets.modules import Program
from kraut_lab.errors import LabError
from kraut_lab.progress import Progress

_TIMEOUT_SECONDS = 30
_CHUNK = 1 << 20
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def download(base: str, program: Program, target: Path, progress: Progress) -> bool:
    """Download a program of Kubernetes to ``target``; False when the mirror does not have it or does not answer.

    Raises:
        LabError: what came does not have the digest that the mirror states.
    """
    if program.project != "kubernetes":
        return False
    architecture = _ARCHITECTURES.get(platform.machine(), platform.machine())
    url = f"{base.rstrip('/')}/{program.version}/bin/linux/{architecture}/{program.name}"
    progress(f"downloading {program.name} {program.version} from {base}")
    try:
        with urllib.request.urlopen(f"{url}.sha256", timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - the settings check the scheme
            expected = answer.read(1024).decode().split()[0].lower()
        found = _fetch(url, target)
    except (OSError, IndexError) as error:
        progress(f"the mirror has no {program.name} {program.version} ({error}); building it instead")
        return False
    if found != expected:
        target.unlink()
        raise LabError(
            f"{url} should have SHA-256 {expected}, what came has {found}. Correct or unset KRAUT_LAB_MIRROR."
        )
    target.chmod(0o755)
    return True


def _fetch(url: str, target: Path) -> str:
    digest = hashlib.sha256()
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer, target.open("wb") as file:  # noqa: S310
        while chunk := answer.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()
