"""What the unit of an operation runs, run by real shells in a folder of its own: whose exit code is kept when the host goes down."""

import shutil
import subprocess
from pathlib import Path

import pytest

from kraut_worker.operations.layout import ROOT
from kraut_worker.operations.unit import RUN

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/stat").exists() or not shutil.which("flock"), reason="needs Linux"),
    pytest.mark.parametrize("sh", ["dash", "bash --posix"]),
]

THE_UNITS_SHELL = "$(cut -d' ' -f4 /proc/$PPID/stat)"
"""For the script of an operation: its parent is flock, whose parent is the shell that systemd sends SIGTERM to."""


def exit_code(folder: Path, sh: str, script: str) -> str:
    """Run an operation and give the exit code that it left."""
    operation = folder / "ops" / "one"
    operation.mkdir(parents=True)
    (operation / "run").write_text(RUN.replace(f"{ROOT}/lock", str(folder / "lock")))
    (operation / "script").write_text(script)
    (operation / "out").touch()
    subprocess.run([*sh.split(), operation / "run"], check=True)
    kept = dict(line.split("=") for line in (operation / "result").read_text().split())
    return kept["exitCode"]


def test_work_that_ends_with_the_shutdown_keeps_its_own_exit_code(sh: str, tmp_path: Path) -> None:
    """The signal came between two steps of the shell's wait: often enough for one of some tries to tell."""
    script = f"kill -TERM {THE_UNITS_SHELL}\nexit 7\n"
    assert {exit_code(tmp_path / str(number), sh, script) for number in range(40)} == {"7"}


def test_work_goes_on_after_the_shutdown_began(sh: str, tmp_path: Path) -> None:
    assert exit_code(tmp_path, sh, f"kill -TERM {THE_UNITS_SHELL}\nsleep 0.2\nexit 7\n") == "7"


def test_what_it_runs_can_be_terminated_itself(sh: str, tmp_path: Path) -> None:
    """The unit's shell ignores SIGTERM; what it starts must not inherit that."""
    assert exit_code(tmp_path, sh, "kill -TERM $$\nexit 7\n") == "143"
