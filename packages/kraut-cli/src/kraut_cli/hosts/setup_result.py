"""What the setup script said, and what ssh said when it never ran (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kraut_cli.hosts.host_keys import pinnable
from kraut_cli.hosts.ssh_command import SUDO_MISSING, SUDO_PASSWORD_REQUIRED, SUDO_PASSWORD_WRONG, Destination
from kraut_core.errors import (
    AuthenticationError,
    HostKeyMismatchError,
    KrautError,
    PermanentError,
    PrivilegeError,
    UnreachableError,
)

_PREFIX: Final = "kraut:"
_SSH_FAILED: Final = 255


@dataclass(frozen=True, slots=True)
class SetupResult:
    """``host_keys``: what the host's sshd shows, as lines a Host may pin; ``did`` and ``warnings``: sentences."""

    host_keys: list[str]
    did: list[str]
    warnings: list[str]


def parse_setup(stdout: str, stderr: str, exit_code: int, destination: Destination) -> SetupResult:
    """Read the output of one session. Raises KrautError when the host is not set up."""
    said = [line.removeprefix(_PREFIX).partition(" ") for line in stdout.splitlines() if line.startswith(_PREFIX)]
    by_word: dict[str, list[str]] = {word: [] for word in ("key", "did", "warning", "error")}
    for word, _, text in said:
        by_word.setdefault(word, []).append(text.strip())
    if by_word["error"]:
        raise PermanentError(f"{destination}: {by_word['error'][0]}", reason="SetupFailed")
    if exit_code != 0 or "done" not in by_word:
        raise failure(stderr, exit_code, destination)
    keys = pinnable(by_word["key"])
    if not keys:
        raise PermanentError(
            f"{destination}: expected the host keys of its sshd (sshd -T, /etc/ssh/ssh_host_*_key), found none that can be pinned",
            reason="SetupFailed",
        )
    return SetupResult(keys, by_word["did"], by_word["warning"])


def failure(stderr: str, exit_code: int, destination: Destination) -> KrautError:
    """Why the script did not run to its end, from ssh's exit code and words."""
    if exit_code == SUDO_PASSWORD_REQUIRED:
        return PrivilegeError(
            f"{destination}: sudo wants a password there; run again with --ask-sudo-password, or log in as root (--user root)"
        )
    if exit_code == SUDO_MISSING:
        return PrivilegeError(f"{destination}: the user is not root and there is no sudo; log in as root (--user root)")
    if exit_code == SUDO_PASSWORD_WRONG:
        return PrivilegeError(
            f"{destination}: sudo did not take the password, or does not let this user run /bin/sh as root; "
            f"`sudo -k true` must work for you there"
        )
    last = _last_line(stderr) or f"exit code {exit_code}"
    if exit_code != _SSH_FAILED:
        return PermanentError(f"{destination}: setting the host up ended early: {last}", reason="SetupFailed")
    return _ssh_failure(stderr, last, destination)


def _ssh_failure(stderr: str, last: str, destination: Destination) -> KrautError:
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in stderr:
        return HostKeyMismatchError(
            f"{destination}: the host shows another key than your known_hosts has; nothing was sent. If it was installed anew, "
            f"compare its key on its console and remove the old one: ssh-keygen -R {destination.address}"
        )
    if "Host key verification failed" in stderr or "host key is known for" in stderr:
        return HostKeyMismatchError(
            f"{destination}: nobody vouches for the host's key; nothing was sent. Give its fingerprint with --trust-host-key SHA256:... "
            "(on its console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), or accept whatever it shows with --accept-new"
        )
    if "Permission denied" in stderr:
        return AuthenticationError(
            f"{destination}: ssh was not let in ({last}); `ssh {destination}` must work for you first: kraut uses your own keys and agent, once"
        )
    return UnreachableError(f"{destination}: ssh could not connect: {last}; check address, port, network and jump host")


def refused_fingerprints(seen: Sequence[str], trusted: Sequence[str], destination: Destination) -> HostKeyMismatchError:
    """The host showed keys, none of them trusted. ``seen``: lines ``<fingerprint> <type>``."""
    shown = ", ".join(f"{line.partition(' ')[0]} ({line.partition(' ')[2]})" for line in dict.fromkeys(seen))
    return HostKeyMismatchError(
        f"{destination}: expected a key with fingerprint {' or '.join(trusted)}, found {shown}; nothing was sent. "
        "Compare on the host's console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
    )


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
