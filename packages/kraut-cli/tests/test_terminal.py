"""What goes to stderr, on a terminal and off it."""

import os
import pty
import subprocess
import sys

import pytest
from click.testing import CliRunner

from kraut_cli.failures import CommandError
from kraut_cli.terminal import confirm

PROGRAM = """
from kraut_cli.terminal import progress
with progress("asking [web1]") as shown:
    shown.update("waiting \\x1b[2J")
    shown.update("waiting \\x1b[2J")
"""


def on_a_terminal(**environment):
    controller, terminal = pty.openpty()
    argv = [sys.executable, "-c", PROGRAM]
    subprocess.run(
        argv, stderr=terminal, stdin=terminal, check=True, env={**os.environ, "TERM": "xterm", **environment}
    )
    os.close(terminal)
    said = b""
    while True:
        try:
            said += os.read(controller, 4096)
        except OSError:  # how Linux says that nobody has the terminal open
            os.close(controller)
            return said.decode()


def test_off_a_terminal_each_step_is_a_plain_line():
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert result.stderr == "asking [web1]\nwaiting ^[[2J\n"
    assert result.stdout == ""


def test_on_a_terminal_it_is_one_line_that_is_gone_afterwards():
    said = on_a_terminal()
    assert "waiting ^[[2J" in said
    assert "\x1b[2J" not in said, "what a host says does not steer the terminal"
    assert "\x1b[2K" in said, "the line is erased"
    assert "\x1b[?25h" in said, "the cursor is back"


def test_no_color_is_honoured():
    assert "\x1b[3" in on_a_terminal(NO_COLOR="")
    assert "\x1b[3" not in on_a_terminal(NO_COLOR="1")


@pytest.mark.parametrize(("yes", "interactive", "answer"), [(True, False, ""), (True, True, ""), (False, True, "y\n")])
def test_agreed(yes, interactive, answer):
    with CliRunner().isolation(input=answer):
        confirm("this reboots", ["web1", "web2"], yes=yes, interactive=interactive)


@pytest.mark.parametrize(
    ("interactive", "answer", "said"),
    [
        (False, "", r"this reboots \(web1, web2\): this needs a yes"),
        (True, "\n", "not agreed"),
        (True, "n\n", "not agreed"),
    ],
)
def test_not_agreed(interactive, answer, said):
    with CliRunner().isolation(input=answer) as (_, errors, _), pytest.raises(CommandError, match=said):
        confirm("this reboots", ["web1", "web2"], yes=False, interactive=interactive)
    if interactive:
        assert b"this reboots: web1, web2. Go on? [y/N]" in errors.getvalue()
