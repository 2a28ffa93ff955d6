"""Keycloak's distribution, from Maven Central by Maven, verified, built once for what the lab wants of it, and cached.

https://www.keycloak.org/server/configuration#_optimize_the_keycloak_startup: ``build`` fixes features and database, so that every
``start --optimized`` is spared it. The result is only read: a Keycloak gets a home folder of its own.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kraut_lab.errors import LabError, MissingRequirementError
from kraut_lab.files import file_lock
from kraut_lab.progress import Progress

VERSION: Final = "26.5.0"
"""With the preview features that take foreign tokens; it runs on Java 17."""
SHA256: Final = "907f10721092bf57436698733d5046ad9ccf39564991d046f5afd67fadf17f08"
ARTIFACT: Final = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
BUILD_OPTIONS: Final = (
    "--features=client-auth-federated,kubernetes-service-accounts,jwt-authorization-grant",
    "--db=dev-mem",
)
_TIMEOUT_SECONDS: Final = 1800

# bin/kc.sh without a shell that stays: the compiler that starts fast, a collector for one small heap.
_JVM: Final = (
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Xshare:auto",
    "-Xms64m",
    "-Xmx512m",
    "-XX:MaxMetaspaceSize=256m",
    "-XX:+ExitOnOutOfMemoryError",
    "-Dfile.encoding=UTF-8",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/java.security=ALL-UNNAMED",
    "-Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
    "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
    "-Dpicocli.disable.closures=true",
    "-Duser.language=en",
    "-Duser.country=US",
)


def built_distribution(cache: Path, progress: Progress) -> Path:
    """The folder of the built distribution in ``cache``; 160 MB are fetched the first time, and built in a minute.

    Raises:
        MissingRequirementError: it must be fetched and there is no Maven, or there is no Java.
        LabError: it cannot be fetched or built, or what came has another digest.
    """
    folder = cache / "keycloak" / VERSION
    archive = folder / f"keycloak-{VERSION}.zip"
    built = folder / f"built-{hashlib.sha256(' '.join(BUILD_OPTIONS).encode()).hexdigest()[:12]}"
    with file_lock(folder / ".lock", on_wait=lambda: progress("waiting for Keycloak, which another process builds")):
        if not archive.exists() and not built.exists():
            _fetch(archive, progress)
        if not built.exists():
            _build(archive, built, progress)
    return built


def java_command(distribution: Path, home: Path, arguments: Sequence[str]) -> list[str]:
    """The command line of Keycloak with libraries in ``distribution`` and everything else in ``home``.

    Raises:
        MissingRequirementError: Java is missing.
    """
    java = shutil.which("java")
    if java is None:
        raise MissingRequirementError(
            "Keycloak needs Java 17 or newer, which was not found on PATH: run `kraut lab setup`."
        )
    folders = [f"-Dkc.home.dir={home}", f"-Djboss.server.config.dir={home / 'conf'}"]
    main = ["-cp", str(distribution / "lib" / "quarkus-run.jar"), "io.quarkus.bootstrap.runner.QuarkusEntryPoint"]
    return [java, *_JVM, *folders, *main, *arguments]


def _build(archive: Path, target: Path, progress: Progress) -> None:
    progress(f"building Keycloak {VERSION} for a fast start (once; kept in {target})")
    partial = target.with_name(".building")
    shutil.rmtree(partial, ignore_errors=True)
    with zipfile.ZipFile(archive) as distribution:
        distribution.extractall(partial)
    home = partial / f"keycloak-{VERSION}"
    done = _run(java_command(home, home, ["build", *BUILD_OPTIONS]), home)
    if done.returncode != 0:
        raise LabError(f"Keycloak should build with {' '.join(BUILD_OPTIONS)}, it failed: {_end(done)}")
    home.replace(target)
    shutil.rmtree(partial)


def _fetch(archive: Path, progress: Progress) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingRequirementError(
            f"Keycloak is fetched by Maven, which was not found on PATH: run `kraut lab setup`, or put the distribution at {archive}."
        )
    progress(f"fetching Keycloak {VERSION} with Maven (160 MB, once; kept in {archive.parent})")
    partial = archive.with_name(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    plugin = "org.apache.maven.plugins:maven-dependency-plugin:copy"
    argv = [maven, "-q", "-B", "-C", plugin, f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={partial}"]
    done = _run(argv, archive.parent)
    if done.returncode != 0:
        raise LabError(f"mvn should fetch {ARTIFACT}, it failed: {_end(done)}")
    [found] = partial.glob("*.zip")
    with found.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        raise LabError(f"{ARTIFACT} should have SHA-256 {SHA256}, what came has {digest}.")
    found.replace(archive)
    shutil.rmtree(partial)


def _run(argv: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=_TIMEOUT_SECONDS, cwd=folder)


def _end(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stdout + done.stderr).strip()[-1000:]
