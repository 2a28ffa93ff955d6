"""The users of a lab host: one per way in that kraut must cope with (pure)."""

from __future__ import annotations

from dataclasses import dataclass

SUDO_COMMAND = "/bin/sh -s"
"""kraut sends its scripts on standard input: this is all that its user may run as root."""


@dataclass(frozen=True)
class HostUser:
    """A user besides root; root accepts the lab's keys."""

    name: str
    key_login: bool = True
    """Whether the lab's keys are accepted."""
    has_password: bool = False
    """Whether the lab's password is set."""
    sudoers: str = ""
    """What stands after ``<name> ALL=(root)`` in sudoers(5); empty: no sudo at all."""


USERS = (
    HostUser("kraut", sudoers=f"NOPASSWD: {SUDO_COMMAND}"),
    HostUser("kraut-password", key_login=False, has_password=True, sudoers=f"NOPASSWD: {SUDO_COMMAND}"),
    HostUser("kraut-sudo-password", has_password=True, sudoers=SUDO_COMMAND),
    HostUser("kraut-no-sudo"),
)


def sudoers_file() -> str:
    """The content of /etc/sudoers.d/kraut-lab."""
    return "".join(f"{user.name} ALL=(root) {user.sudoers}\n" for user in USERS if user.sudoers)


def users_script(public_keys: str, password: str) -> str:
    """POSIX shell, run as root on a host, that makes the users."""
    lines = ["set -eu", "umask 077", f"keys='{public_keys}'", "add_keys() {"]
    lines += [
        '  mkdir -p "$1/.ssh"',
        '  printf %s "$keys" >"$1/.ssh/authorized_keys"',
        '  chown -R "$2:" "$1/.ssh"',
        "}",
    ]
    lines.append("add_keys /root root")
    for user in USERS:
        lines.append(f"useradd --create-home --shell /bin/sh {user.name}")
        if user.key_login:
            lines.append(f"add_keys /home/{user.name} {user.name}")
        # `*` is no password that could be typed, while `!` would also lock out key logins.
        lines.append(f"usermod --password '*' {user.name}")
    with_password = [user.name for user in USERS if user.has_password]
    lines += ["chpasswd <<'END'", *(f"{name}:{password}" for name in with_password), "END"]
    return "\n".join(lines) + "\n"
