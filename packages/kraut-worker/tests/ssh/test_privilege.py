"""What sudo says, recorded on Debian 12 (sudo 1.9.13p3) and 13 (1.9.16p2), and what a person is told."""

import pytest

from kraut_worker.adapters.ssh.privilege import explain_refusal
from kraut_worker.ports import CommandResult

SAID = [
    (b"sudo: a password is required\n", 1, "SudoPasswordRequired"),
    (
        b"sudo: unable to resolve host b2: Name or service not known\nsudo: a password is required\n",
        1,
        "SudoPasswordRequired",
    ),
    (b"alice is not in the sudoers file.\n", 1, "SudoNotAllowed"),
    (b"Sorry, user bob is not allowed to execute '/bin/sh -s' as root on b2.\n", 1, "SudoNotAllowed"),
    (b"sh: 1: sudo: not found\n", 127, "SudoMissing"),
    (b"bash: line 1: sudo: command not found\n", 127, "SudoMissing"),
    (b"", 1, "ShellUnusable"),
]


@pytest.mark.parametrize(("stderr", "status", "reason"), SAID)
def test_reason(stderr: bytes, status: int, reason: str) -> None:
    error = explain_refusal(CommandResult(status, b"", stderr), user="alice", where="alice@b2:22")
    assert error.reason == reason
    assert error.permanent
    assert "alice" in str(error)


def test_a_shell_that_only_says_no() -> None:
    # nologin(8) on stdout; its escape sequences must not reach a person's terminal.
    result = CommandResult(1, b"This account is currently not available.\n\x1b[2J", b"")
    error = explain_refusal(result, user="dave", where="dave@b2:22")
    assert error.reason == "ShellUnusable"
    assert "This account is currently not available." in str(error)
    assert "\x1b" not in str(error)
