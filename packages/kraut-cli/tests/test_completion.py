import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from kraut_cli.root import root


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell(shell):
    result = CliRunner().invoke(root, ["completion", shell])
    assert result.exit_code == 0
    assert "_KRAUT_COMPLETE" in result.stdout


def test_an_unknown_shell_is_a_usage_error():
    assert CliRunner().invoke(root, ["completion", "tcsh"]).exit_code == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_commands(tmp_path):
    script = CliRunner().invoke(root, ["completion", "bash"]).stdout
    program = tmp_path / "kraut"
    program.write_text(f"#!{sys.executable}\nfrom kraut_cli.__main__ import main\nmain()\n")
    program.chmod(0o755)
    completed = subprocess.run(
        ["bash"],
        input=f"{script}\nCOMP_WORDS=(kraut host '')\nCOMP_CWORD=2\n_kraut_completion {program}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert completed.stdout.split() == ["add", "import", "test"]
