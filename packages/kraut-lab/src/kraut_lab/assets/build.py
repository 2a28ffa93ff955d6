"""Binaries built from pinned Go modules."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import deque
from pathlib import Path

from kraut_lab.assets.modules import Program
from kraut_lab.errors import LabError, MissingRequirementError
from kraut_lab.progress import Progress

_REPORT_EVERY = 50
_ERROR_LINES = 20


def build(program: Program, target: Path, progress: Progress) -> None:
    """Build a program into ``target`` (minutes for Kubernetes when Go's own cache is cold).

    Raises:
        MissingRequirementError: there is no Go toolchain.
        LabError: the build failed; the message carries the compiler's last lines.
    """
    go = shutil.which("go")
    if go is None:
        raise MissingRequirementError(
            f"{program.name} {program.version} is not in the cache and is built with Go, which was not found on PATH. "
            "Install Go (the version is in the module's go.mod), or set KUBEBUILDER_ASSETS to a folder that holds "
            f"{program.name}, or KRAUT_LAB_MIRROR to a download mirror of Kubernetes."
        )
    progress(f"building {program.name} {program.version} (once; kept in {target.parent})")
    argv = [go, "build", "-v", "-mod=readonly", "-trimpath", "-ldflags", program.linker_flags, "-o", str(target)]
    # Without CGO off, the binaries do not run in scratch images.
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
    last: deque[str] = deque(maxlen=_ERROR_LINES)
    with subprocess.Popen(
        [*argv, program.package], cwd=program.module, env=environment, stderr=subprocess.PIPE, text=True
    ) as compiler:
        for count, line in enumerate(compiler.stderr or (), start=1):
            last.append(line)
            if count % _REPORT_EVERY == 0:
                progress(f"building {program.name} {program.version}: {count} packages compiled")
    if compiler.returncode != 0:
        target.unlink(missing_ok=True)
        raise LabError(f"go build of {program.package} {program.version} failed:\n{''.join(last)}")
