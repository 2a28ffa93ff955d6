"""Programs that the lab runs to their end."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence

from kraut_lab.errors import LabError

_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


def run(
    argv: Sequence[str], *, stdin: str = "", env: Mapping[str, str] | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a program with a small fixed environment (plus ``env``) and return its result.

    Raises:
        LabError: it failed and ``check`` is true; the message carries what it wrote to standard error.
    """
    done = subprocess.run(
        argv, input=stdin, env={**_ENVIRONMENT, **(env or {})}, capture_output=True, text=True, check=False
    )
    if check and done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip()
        raise LabError(f"`{' '.join(argv)}` should succeed, it exited with {done.returncode}: {said}")
    return done


def is_installed(program: str) -> bool:
    """Whether a program is on the PATH that `run` uses."""
    return shutil.which(program, path=_ENVIRONMENT["PATH"]) is not None
