"""Builds and installs the peers: Go programs from go.sum, tools of PyPI each into an environment of its own."""

import hashlib
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from kraut_lab.settings import load_lab_settings

FOLDER = Path(__file__).resolve().parent
GO = FOLDER / "go"


@cache
def go_program(name: str) -> str:
    """The path of a program of bench/peers/go/cmd, built when it is not up to date."""
    target = cache_folder() / "go"
    target.mkdir(parents=True, exist_ok=True)
    _run(["go", "build", "-trimpath", "-o", f"{target}/", "./cmd/..."], cwd=GO)
    return str(target / name)


@cache
def tool_environment(tool: str) -> Path:
    """The folder of programs of an environment with exactly what bench/peers/ssh/TOOL.txt pins."""
    lock = FOLDER / "ssh" / f"{tool}.txt"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    target = cache_folder() / f"{tool}-{digest}"
    if not (target / "ready").exists():
        uv = os.environ.get("UV") or shutil.which("uv") or "uv"
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(target)], cwd=FOLDER)
        python = str(target / "bin" / "python")
        _run([uv, "pip", "sync", "--quiet", "--require-hashes", "--python", python, str(lock)], cwd=FOLDER)
        (target / "ready").touch()
    return target / "bin"


def cache_folder() -> Path:
    """Where peers are built and installed: ``~/.cache/kraut/bench``."""
    return load_lab_settings().cache_dir / "bench"


def _run(argv: list[str], *, cwd: Path) -> None:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ChildProcessError(f"{' '.join(argv[:3])} should succeed in {cwd}, it said: {done.stderr[-3000:]}")
