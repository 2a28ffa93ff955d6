"""A script that is cut while it is sent runs not at all (fault matrix, row 13: SSH cut before exec)."""

import subprocess
from pathlib import Path

import pytest

from kraut_worker.adapters.ssh.session import wrap_script

SHELLS = ("/bin/sh", "/bin/bash")


@pytest.mark.parametrize("sh", SHELLS)
def test_every_cut_runs_nothing_or_everything(tmp_path: Path, sh: str) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    whole = wrap_script(f"touch {first}\ncat <<'END'\n}}\nEND\nif :; then\n  touch {second}\nfi")
    runs = set()
    for length in range(len(whole) + 1):
        subprocess.run([sh, "-s"], input=whole[:length], capture_output=True, check=False)
        runs.add((first.exists(), second.exists()))
        first.unlink(missing_ok=True)
        second.unlink(missing_ok=True)
    assert runs == {(False, False), (True, True)}
