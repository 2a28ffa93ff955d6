"""The command line of the system's ssh, with the person's own configuration, keys and agent (pure).

ssh(1), ssh_config(5), OpenSSH >= 8.5.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import click

from kraut_core.api.v1alpha1.host import ADDRESS_PATTERN

Trust = Literal["Ask", "KnownHosts", "AcceptNew", "Fingerprints"]
"""Whom to believe about the host's key: the person at the terminal, their known_hosts only, whoever answers first,
or fingerprints that the person gave."""

_USER_PATTERN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*[$]?")

_ALWAYS: Final = (
    "ConnectTimeout=15",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
)

_STRICTNESS: Final = {"Ask": "ask", "KnownHosts": "yes", "AcceptNew": "accept-new", "Fingerprints": "yes"}

# Only the given fingerprints count: no file, no DNS record and no connection that is already open.
_FINGERPRINTS_ONLY: Final = (
    "UserKnownHostsFile=/dev/null",
    "GlobalKnownHostsFile=/dev/null",
    "VerifyHostKeyDNS=no",
    "CheckHostIP=no",
    "UpdateHostKeys=no",
    "ControlPath=none",
)

SUDO_PASSWORD_REQUIRED: Final = 90
SUDO_MISSING: Final = 91
SUDO_PASSWORD_WRONG: Final = 92

_AS_ROOT: Final = (
    'if [ "$(id -u)" = 0 ]; then exec /bin/sh -s; fi; '
    f"command -v sudo >/dev/null || exit {SUDO_MISSING}; "
    f"sudo -n /bin/sh -s </dev/null >/dev/null 2>&1 || exit {SUDO_PASSWORD_REQUIRED}; "
    "exec sudo -n /bin/sh -s"
)

# The password is the first line of stdin. It is tried on its own first: at a wrong one sudo would go on to take lines of the
# script for passwords. `printf` is the shell's own, so that the password is on no command line.
_AS_ROOT_BY_PASSWORD: Final = (
    "IFS= read -r password; "
    'if [ "$(id -u)" = 0 ]; then exec /bin/sh -s; fi; '
    f"command -v sudo >/dev/null || exit {SUDO_MISSING}; "
    "if sudo -n -k /bin/sh -s </dev/null >/dev/null 2>&1; then exec sudo -n /bin/sh -s; fi; "
    'printf "%s\\n" "$password" | sudo -k -S -p "" /bin/sh -s >/dev/null 2>&1 || '
    f"exit {SUDO_PASSWORD_WRONG}; "
    '{ printf "%s\\n" "$password"; exec cat; } | sudo -k -S -p "" /bin/sh -s'
)


@dataclass(frozen=True, slots=True)
class Destination:
    """A host as the person names it to ssh; None is what their configuration says."""

    address: str
    port: int | None = None
    user: str | None = None

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        address = f"[{self.address}]" if ":" in self.address and self.port else self.address
        return f"{user}{address}{f':{self.port}' if self.port else ''}"


@dataclass(frozen=True, slots=True)
class SshOptions:
    """What is the same for every connection of one call."""

    trust: Trust
    interactive: bool
    """Whether ssh may ask for passwords and passphrases, on the terminal."""
    config_file: str | None = None
    identity_file: str | None = None
    jump: Destination | None = None
    fingerprint_command: str | None = None
    """KnownHostsCommand for trust ``Fingerprints``."""
    sudo_password: bool = False
    """Whether sudo's password comes as the first line of stdin."""


def parse_destination(text: str) -> Destination:
    """``[USER@]ADDRESS[:PORT]``, an IPv6 address with a port in brackets. Raises click.BadParameter."""
    user, at, rest = text.rpartition("@")
    address, port = _split_port(rest)
    known = (not at or _USER_PATTERN.fullmatch(user)) and re.fullmatch(ADDRESS_PATTERN, address)
    if not known or (port is not None and not 1 <= port <= 65535):
        raise click.BadParameter(f"expected [USER@]ADDRESS[:PORT], found {text!r}")
    return Destination(address, port, user or None)


def _split_port(text: str) -> tuple[str, int | None]:
    if match := re.fullmatch(r"\[([^\]]+)\](?::(\d{1,5}))?|([^:]+):(\d{1,5})", text):
        address = match[1] or match[3]
        port = match[2] or match[4]
        return address, int(port) if port else None
    return text, None


def query_argv(destination: Destination, options: SshOptions) -> list[str]:
    """``ssh -G``: what the person's configuration makes of a destination; nothing is connected."""
    return ["ssh", "-G", *_shared(destination, options), "--", destination.address]


def setup_argv(destination: Destination, options: SshOptions) -> list[str]:
    """Run ``/bin/sh -s`` as root on the host, its script on stdin."""
    words = ["ssh", "-T", *_shared(destination, options)]
    for option in (*_ALWAYS, *_trust(options)):
        words += ["-o", option]
    inner = _AS_ROOT_BY_PASSWORD if options.sudo_password else _AS_ROOT
    # Through /bin/sh, since the person's login shell there may be any.
    return [*words, "--", destination.address, f"exec /bin/sh -c {shlex.quote(inner)}"]


def _trust(options: SshOptions) -> list[str]:
    chosen = [f"StrictHostKeyChecking={_STRICTNESS[options.trust]}"]
    if not options.interactive:
        chosen.append("BatchMode=yes")
    if options.trust == "Fingerprints":
        chosen += [*_FINGERPRINTS_ONLY, f"KnownHostsCommand={options.fingerprint_command}"]
    return chosen


def _shared(destination: Destination, options: SshOptions) -> list[str]:
    words: list[str] = []
    for flag, value in (
        ("-F", options.config_file),
        ("-i", options.identity_file),
        ("-l", destination.user),
        ("-p", destination.port),
        ("-J", options.jump),
    ):
        if value is not None:
            words += [flag, str(value)]
    return words


def parse_query(text: str) -> dict[str, str]:
    """The output of ``ssh -G``: lower-case keyword to its (first) value."""
    pairs = (line.partition(" ") for line in text.splitlines())
    values: dict[str, str] = {}
    for keyword, _, value in pairs:
        values.setdefault(keyword, value)
    return values


def fingerprint_script(fingerprints: Sequence[str], seen: str) -> str:
    """A KnownHostsCommand (``%f %H %t %K``): names the key when its fingerprint is trusted, and notes what it was asked for."""
    trusted = " ".join(fingerprints)
    return (
        "#!/bin/sh\n"
        f'[ "$1" = NONE ] || printf "%s %s\\n" "$1" "$3" >>{shlex.quote(seen)}\n'
        f"case {shlex.quote(f' {trusted} ')} in\n"
        '    *" $1 "*) printf "%s %s %s\\n" "$2" "$3" "$4" ;;\n'
        "esac\n"
    )
