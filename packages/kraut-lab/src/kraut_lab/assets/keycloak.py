"""Keycloak's distribution, from Maven Central by Maven, verified and cached."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Final

from kraut_lab.errors import LabError, MissingRequirementError
from kraut_lab.files import file_lock
from kraut_lab.progress import Progress

VERSION: Final = "26.5.0"
"""With the preview features that take foreign tokens; it runs on Java 17."""
SHA256: Final = "907f10721092bf57436698733d5046ad9ccf39564991d046f5afd67fadf17f08"
ARTIFACT: Final = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
_TIMEOUT_SECONDS: Final = 900


def unpack(cache: Path, target: Path, progress: Progress) -> None:
    """Unpack the distribution below ``target``, as ``keycloak-<version>``; 160 MB are fetched the first time.

    Raises:
        MissingRequirementError: it must be fetched and there is no Maven.
        LabError: it cannot be fetched, or what came has another digest.
    """
    archive = cache / "keycloak" / VERSION / f"keycloak-{VERSION}.zip"
    with file_lock(archive.with_name(".lock")):
        if not archive.exists():
            _fetch(archive, progress)
    progress("unpacking Keycloak")
    with zipfile.ZipFile(archive) as distribution:
        distribution.extractall(target)


def _fetch(archive: Path, progress: Progress) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingRequirementError(
            f"Keycloak is fetched by Maven, which was not found on PATH: install it, or put the distribution at {archive}."
        )
    progress(f"fetching Keycloak {VERSION} with Maven (160 MB, once; kept in {archive.parent})")
    partial = archive.with_name(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    plugin = "org.apache.maven.plugins:maven-dependency-plugin:copy"
    argv = [maven, "-q", "-B", "-C", plugin, f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={partial}"]
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, timeout=_TIMEOUT_SECONDS, cwd=archive.parent
    )
    if done.returncode != 0:
        raise LabError(f"mvn should fetch {ARTIFACT}, it failed: {(done.stdout + done.stderr).strip()[-1000:]}")
    [found] = partial.glob("*.zip")
    with found.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        raise LabError(f"{ARTIFACT} should have SHA-256 {SHA256}, what came has {digest}.")
    found.replace(archive)
    shutil.rmtree(partial)
