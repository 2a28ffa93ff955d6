"""Whether the first command ran as root, and if not, why not (pure)."""

import re

from kraut_core.errors import PrivilegeError
from kraut_worker.ports import CommandResult

_NOT_ALLOWED = re.compile(rb"is not in the sudoers file|is not allowed to (execute|run)|may not run sudo")
_PASSWORD = re.compile(
    rb"sudo: (a password is required|no tty present|a terminal is required|sorry, you must have a tty)"
)
_MISSING = re.compile(rb"sudo: (command )?not found|sudo: No such file", re.IGNORECASE)

_LINE = "`{user} ALL=(root) NOPASSWD: /bin/sh -s` in /etc/sudoers.d/kraut"


def explain_refusal(result: CommandResult, *, user: str, where: str) -> PrivilegeError:
    """The error for a first command that did not run as a root shell."""
    line = _LINE.format(user=user)
    if _PASSWORD.search(result.stderr):
        return PrivilegeError(
            f"sudo on {where} asks user {user!r} for a password, or does not know the user (it does not tell which): "
            f"allow `sudo -n -- /bin/sh -s` without a password, for example by {line}"
        )
    if _NOT_ALLOWED.search(result.stderr):
        return PrivilegeError(
            f"sudo on {where} does not allow user {user!r} to run `/bin/sh -s` as root: allow it, for example by {line}",
            reason="SudoNotAllowed",
        )
    if result.exit_status == 127 or _MISSING.search(result.stderr):
        return PrivilegeError(
            f"sudo is not installed on {where}: install it and allow user {user!r} to run `/bin/sh -s` (by {line}), or log in as root",
            reason="SudoMissing",
        )
    said = _printable(result.stderr or result.stdout)
    return PrivilegeError(
        f"the login shell of user {user!r} on {where} did not run a command (exit status {result.exit_status}, it said {said!r}): "
        "give the user a shell such as /bin/sh and no forced command",
        reason="ShellUnusable",
    )


def _printable(output: bytes) -> str:
    text = output[:200].decode("ascii", "replace").strip()
    return "".join(character if character.isprintable() else " " for character in text)
