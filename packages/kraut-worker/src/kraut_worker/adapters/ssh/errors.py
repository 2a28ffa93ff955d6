"""What asyncssh and the socket say, in kraut's words: expected, found, what to do. Holds no secret."""

import errno
import re
import socket

import asyncssh

from kraut_core.errors import (
    AuthenticationError,
    HostKeyMismatchError,
    KrautError,
    UnknownOutcomeError,
    UnreachableError,
)
from kraut_worker.adapters.ssh.keys import describe_key
from kraut_worker.ports import HostTarget

_NOLOGIN = re.compile(r"System is (booting up|going down)|pam_nologin")
"""systemd-user-sessions(8) and shutdown(8) refuse logins so, after the credentials were found to be right."""

_EXPIRED = re.compile(r"(account|password) has expired", re.IGNORECASE)
"""pam_unix(8), on an account or a password past its date."""

_ERRNO = re.compile(r"\[Errno (\d+)\]")


def describe_target(target: HostTarget) -> str:
    """``user@address:port``, for messages."""
    address = f"[{target.address}]" if ":" in target.address else target.address
    return f"{target.user}@{address}:{target.port}"


def host_key_mismatch(target: HostTarget, pinned: list[asyncssh.SSHKey], found: str) -> HostKeyMismatchError:
    """The server showed ``found`` (a description), which is none of ``pinned``."""
    expected = ", ".join(describe_key(key) for key in pinned)
    return HostKeyMismatchError(
        f"{describe_target(target)} was to show one of the pinned host keys ({expected}), but showed {found}; no command was sent. "
        "Compare with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the host's console: if the host was reinstalled, delete and "
        "re-create the Host; if only its keys were replaced, correct spec.hostKeys; otherwise somebody may be in between"
    )


def explain_failure(error: Exception, target: HostTarget, *, connected: bool, banner: str = "") -> KrautError:
    """The error of kraut for a failed connection attempt.

    ``connected``: TCP was established before. ``banner``: what sshd said during authentication.
    """
    where = describe_target(target)
    denied = _denied(where, target, error, banner)
    if denied is not None:
        return denied
    if isinstance(error, TimeoutError) or _is_timeout(error):
        return _timed_out(where, connected=connected)
    if isinstance(error, OSError):
        return _socket_failed(where, error)
    return _protocol_failed(where, target, error)


def explain_silence(error: UnknownOutcomeError, where: str) -> UnreachableError:
    """The error of kraut for a login whose first command, which only reads, has no result: nothing of the caller's was run."""
    if error.reason == "ConnectionLost":
        return _dropped(where)
    return UnreachableError(
        f"{where} accepted the login, then did not answer in time which machine it is (/etc/machine-id); nothing else was run: "
        "the host is overloaded, or the user's shell or sudo hangs",
        reason="LoginTimeout",
    )


def _denied(where: str, target: HostTarget, error: Exception, banner: str) -> KrautError | None:
    """The host knows somebody and says no; None when it is not that."""
    if _NOLOGIN.search(banner):
        return UnreachableError(
            f"{where} is booting or shutting down and lets only root in (pam_nologin): it is asked again later",
            reason="HostNotReady",
        )
    if _EXPIRED.search(banner):
        return AuthenticationError(
            f"the account of user {target.user!r} on {where} or its password has expired: extend it (chage -l shows it)",
            reason="AccountExpired",
        )
    if isinstance(error, asyncssh.PermissionDenied) or "authentication failures" in str(error):
        return _refused(where, target)
    return None


def _refused(where: str, target: HostTarget) -> AuthenticationError:
    offered = [
        word
        for word, value in (("a key", target.credentials.private_key), ("a password", target.credentials.password))
        if value is not None
    ]
    return AuthenticationError(
        f"sshd of {where} refused to log in with {' and '.join(offered)}: either user {target.user!r} does not exist or may not log in, "
        "or the credentials are not the user's (sshd does not tell which); "
        "correct spec.user or the Secret, or add the public key to the user's authorized_keys"
    )


def _timed_out(where: str, *, connected: bool) -> UnreachableError:
    if connected:
        return UnreachableError(
            f"{where} accepted the connection, then did not complete the SSH login in time: "
            "the host is overloaded, or what listens on that port is no sshd",
            reason="LoginTimeout",
        )
    return UnreachableError(
        f"no answer from {where}: the host is down, the address is wrong, or a firewall drops the connection",
        reason="ConnectionTimeout",
    )


def _jump_failed(where: str, target: HostTarget, error: asyncssh.ChannelOpenError) -> UnreachableError:
    via = describe_target(target.jump_host) if target.jump_host else "the jump host"
    return UnreachableError(
        f"{via} could not connect to {where} ({error.reason or 'no reason given'}): "
        "the host is down, or the jump host does not allow TCP forwarding to it (AllowTcpForwarding, PermitOpen)",
        reason="JumpHostFailed",
    )


def _socket_failed(where: str, error: OSError) -> UnreachableError:
    if isinstance(error, socket.gaierror):
        return UnreachableError(
            f"the name of {where} could not be resolved ({error.strerror}): correct spec.address, or the DNS that the worker uses",
            reason="NameNotResolved",
        )
    code = _errno_of(error)
    if code == errno.ECONNREFUSED:
        return UnreachableError(
            f"{where} refused the connection: no sshd listens on that port; start it, or correct spec.port",
            reason="ConnectionRefused",
        )
    if code == errno.ETIMEDOUT:
        return _timed_out(where, connected=False)
    if code in (errno.ECONNRESET, errno.EPIPE):
        return _dropped(where)
    return UnreachableError(f"{where} could not be reached: {error.strerror or error}")


def _protocol_failed(where: str, target: HostTarget, error: Exception) -> UnreachableError:
    if isinstance(error, asyncssh.ChannelOpenError):
        return _jump_failed(where, target, error)
    if isinstance(error, asyncssh.ConnectionLost):
        return _dropped(where)
    return UnreachableError(
        f"no SSH session with {where}: {str(error)[:300]}; it must speak SSH 2 with algorithms no older than OpenSSH 7.2's",
        reason="SshProtocolError",
    )


def _dropped(where: str) -> UnreachableError:
    return UnreachableError(
        f"{where} dropped the connection during the login: sshd sheds load (MaxStartups), penalises the worker's address "
        "after earlier failures (PerSourcePenalties), or is stopping",
        reason="ConnectionDropped",
    )


def _is_timeout(error: Exception) -> bool:
    return isinstance(error, asyncssh.ConnectionLost) and "imeout" in str(error)


def _errno_of(error: OSError) -> int | None:
    if error.errno is not None:
        return error.errno
    # asyncio joins the errors of several addresses into one text.
    codes = {int(code) for code in _ERRNO.findall(str(error))}
    return codes.pop() if len(codes) == 1 else None
