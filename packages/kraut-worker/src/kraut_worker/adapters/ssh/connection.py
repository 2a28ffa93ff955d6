"""One SSH connection: the key is checked before anything is sent, and only what the target names is used to log in."""

import socket
from typing import Any, Final

import asyncssh

from kraut_core.errors import HostKeyMismatchError, InvalidSpecError, SecretError, UnreachableError
from kraut_core.patience import patience
from kraut_worker.adapters.ssh.dialling import dial, wait_for_banner
from kraut_worker.adapters.ssh.errors import describe_target, explain_failure, host_key_mismatch
from kraut_worker.adapters.ssh.handshakes import Handshakes
from kraut_worker.adapters.ssh.keys import (
    describe_key,
    host_key_algorithms,
    load_private_key,
    parse_host_keys,
)
from kraut_worker.adapters.ssh.settings import SshSettings
from kraut_worker.ports import HostTarget

CIPHERS: Final = "^aes256-gcm@openssh.com,aes128-gcm@openssh.com"
"""Put before asyncssh's own list (ssh_config(5), Ciphers): a packet costs 4 us there, and 30 by ChaCha20-Poly1305 in Python."""


class _PinningClient(asyncssh.SSHClient):
    """Accepts exactly the pinned keys, or on first use any. Remembers the key it refused and what sshd said."""

    def __init__(self, pinned: tuple[asyncssh.SSHKey, ...], *, trust_on_first_use: bool) -> None:
        self.pinned = pinned
        self._trust_any = trust_on_first_use and not pinned
        self.refused: asyncssh.SSHKey | None = None
        self.banner = ""

    def auth_banner_received(self, msg: str, _lang: str) -> None:
        self.banner += msg

    def validate_host_public_key(self, _host: str, _addr: str, _port: int, key: asyncssh.SSHKey) -> bool:
        if self._trust_any or key in self.pinned:
            return True
        self.refused = key
        return False


async def open_connection(
    target: HostTarget,
    settings: SshSettings,
    handshakes: Handshakes,
    *,
    tunnel: asyncssh.SSHClientConnection | None = None,
) -> asyncssh.SSHClientConnection:
    """Connect, verify the host key, log in. A place in ``handshakes`` is taken once the server has spoken.

    Raises UnreachableError, AuthenticationError, HostKeyMismatchError, SecretError, InvalidSpecError.
    """
    where = describe_target(target)
    pinned = parse_host_keys(target.host_keys, where=where)
    if not pinned and not target.trust_on_first_use:
        raise InvalidSpecError(
            f"no host key of {where} is known and trust on first use is not allowed: add spec.hostKeys",
            reason="HostKeyMissing",
        )
    options = await _login_options(target, where)
    client = _PinningClient(pinned, trust_on_first_use=target.trust_on_first_use)
    return await _reach(target, settings, handshakes, client, tunnel=tunnel, options=options)


async def learn_host_key(
    target: HostTarget,
    settings: SshSettings,
    handshakes: Handshakes,
    *,
    tunnel: asyncssh.SSHClientConnection | None = None,
) -> str:
    """The key that the host shows, as an OpenSSH public-key line; nothing is sent that could log in.

    As OpenSSH's ``StrictHostKeyChecking=accept-new``, which records a key before it authenticates: a host that refuses the
    login is pinned all the same, and no later one gets the credentials. Raises UnreachableError.
    """
    client = _PinningClient((), trust_on_first_use=False)
    options = {"client_keys": None, "public_key_auth": False, "password_auth": False, "kbdint_auth": False}
    try:
        (await _reach(target, settings, handshakes, client, tunnel=tunnel, options=options)).abort()
    except HostKeyMismatchError:
        if client.refused is None:
            raise
        return " ".join(client.refused.export_public_key("openssh").decode().split()[:2])
    raise UnreachableError(f"{describe_target(target)} let kraut in without showing a key", reason="HostKeyMissing")


async def _reach(
    target: HostTarget,
    settings: SshSettings,
    handshakes: Handshakes,
    client: _PinningClient,
    *,
    tunnel: asyncssh.SSHClientConnection | None,
    options: dict[str, Any],
) -> asyncssh.SSHClientConnection:
    connected = tunnel is not None
    try:
        if tunnel is None:
            sock = await dial(target.address, target.port, timeout_seconds=settings.connect_timeout_seconds)
            connected = True
            options["sock"] = await _first_word(sock, settings)
        async with handshakes.place(), patience(settings.login_timeout_seconds):
            return await _log_in(target, settings, client, tunnel, options)
    except (OSError, asyncssh.Error, ValueError) as error:
        if client.refused is not None:
            raise host_key_mismatch(target, list(client.pinned), describe_key(client.refused)) from error
        raise explain_failure(error, target, connected=connected, banner=client.banner) from error


async def _first_word(sock: socket.socket, settings: SshSettings) -> socket.socket:
    try:
        await wait_for_banner(sock, timeout_seconds=settings.login_timeout_seconds)
    except BaseException:
        sock.close()
        raise
    return sock


async def _log_in(
    target: HostTarget,
    settings: SshSettings,
    client: _PinningClient,
    tunnel: asyncssh.SSHClientConnection | None,
    options: dict[str, Any],
) -> asyncssh.SSHClientConnection:
    return await asyncssh.connect(
        target.address,
        target.port,
        tunnel=tunnel or (),
        config=None,
        # Empty lists, so that every key is put to validate_host_public_key; None would switch verification off.
        known_hosts=([], [], []),
        server_host_key_algs=host_key_algorithms(client.pinned),
        client_factory=lambda: client,
        username=target.user,
        agent_path=None,
        client_host_keysign=False,
        host_based_auth=False,
        gss_kex=False,
        gss_auth=False,
        x509_trusted_certs=None,
        disable_trivial_auth=True,
        encoding=None,
        compression_algs=None,
        encryption_algs=CIPHERS,
        # `_reach` has a deadline for the whole of it; asyncssh's would end the login of a process that stood still.
        login_timeout=0,
        keepalive_interval=settings.keepalive_interval_seconds,
        keepalive_count_max=settings.keepalive_count,
        **options,
    )


async def _login_options(target: HostTarget, where: str) -> dict[str, Any]:
    key = await load_private_key(target.credentials, where=where)
    password = target.credentials.password
    if key is None and password is None:
        raise SecretError(
            f"the Secret for {where} holds neither `ssh-privatekey` nor `password`: add one of them",
            reason="CredentialsMissing",
        )
    return {
        "client_keys": [key] if key else None,
        "password": password,
        "public_key_auth": key is not None,
        "password_auth": password is not None,
        "kbdint_auth": password is not None,
    }
