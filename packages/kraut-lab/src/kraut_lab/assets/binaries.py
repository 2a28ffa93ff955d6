"""Where a binary comes from: a folder of the person's, the cache, a mirror, or a build."""

from __future__ import annotations

import os
from pathlib import Path

from kraut_lab.assets import build, mirror
from kraut_lab.assets.modules import Program
from kraut_lab.files import file_lock
from kraut_lab.progress import Progress, silent
from kraut_lab.settings import LabSettings, load_lab_settings


class Binaries:
    """Finds programs, and gets those that are missing, once per machine and version."""

    def __init__(self, settings: LabSettings | None = None, progress: Progress = silent) -> None:
        """Args: settings: default: from the environment. progress: told about downloads and builds."""
        self._settings = settings or load_lab_settings()
        self._progress = progress

    def path(self, program: Program) -> Path:
        """The path of an executable, got first when it is nowhere yet.

        Order: the folder ``KUBEBUILDER_ASSETS``, the cache, the mirror, ``go build``.

        Raises:
            MissingRequirementError: it must be built and there is no Go toolchain.
            LabError: the build failed, or the mirror's file has the wrong digest.
        """
        cached = self._settings.cache_dir / program.project / program.version / program.name
        given = self._settings.assets / program.name if self._settings.assets else cached
        for candidate in (given, cached):
            if os.access(candidate, os.X_OK):
                return candidate
        self._get(program, cached)
        return cached

    def _get(self, program: Program, target: Path) -> None:
        waiting = f"waiting for another process that gets {program.name} {program.version}"
        with file_lock(target.with_name(f".{program.name}.lock"), on_wait=lambda: self._progress(waiting)):
            if target.exists():
                return
            partial = target.with_name(f".{program.name}.partial")
            base = self._settings.mirror
            if not (base and mirror.download(base, program, partial, self._progress)):
                build.build(program, partial, self._progress)
            # Renamed only when whole: a crash leaves nothing that could be taken for the binary.
            partial.replace(target)
