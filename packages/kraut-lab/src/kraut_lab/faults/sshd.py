"""A host whose sshd lets nobody in, and does again: what a manager must wait out by itself."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from kraut_lab.hosts import LabHost

_STARTUPS = 2
_LIMIT = "/etc/ssh/sshd_config.d/kraut-fault.conf"
_SESSIONS = "^sshd: kraut"


@contextmanager
def mute(host: LabHost) -> Iterator[None]:
    """The host accepts TCP and says nothing, as one whose memory or disk hangs; who is logged in is thrown out."""
    listener = host.exec("systemctl show --property=MainPID --value ssh.service").stdout.strip()
    host.exec(f"kill -STOP {listener}; pkill -f '{_SESSIONS}' || true")
    try:
        yield
    finally:
        host.exec(f"kill -CONT {listener}")


@contextmanager
def crowded(host: LabHost) -> Iterator[None]:
    """Others hold all that MaxStartups of sshd_config(5) allows, and do not log in; who is logged in is thrown out."""
    host.exec(f"echo 'MaxStartups {_STARTUPS}:100:{_STARTUPS}' >{_LIMIT} && systemctl restart ssh.service")
    try:
        with ExitStack() as crowd:
            for _ in range(_STARTUPS):
                connection = crowd.enter_context(socket.create_connection((host.address, host.port), timeout=30))
                connection.recv(8)  # its banner: it has its place now
            host.exec(f"pkill -f '{_SESSIONS}' || true")
            yield
    finally:
        host.exec(f"rm -f {_LIMIT}; systemctl restart ssh.service")
