"""Logging in to a real sshd: every way that works, and the sentence for each that does not."""

import asyncio
import contextlib
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from kraut_core.errors import (
    AuthenticationError,
    HostKeyMismatchError,
    InvalidSpecError,
    KrautError,
    MachineIdentityError,
    SecretError,
    UnreachableError,
)
from kraut_worker.adapters.ssh import SshConnector, SshSettings
from kraut_worker.adapters.ssh.connection import open_connection
from kraut_worker.adapters.ssh.handshakes import Handshakes
from kraut_worker.ports import Credentials, HostTarget

pytestmark = pytest.mark.integration

MACHINE_ID = Path("/etc/machine-id")
IMPATIENT = SshSettings(connect_timeout_seconds=60, login_timeout_seconds=0.5)


async def failure(target: HostTarget, settings: SshSettings | None = None) -> KrautError:
    """The error of a connection that must not come about."""
    async with SshConnector(settings) as connector:
        with pytest.raises(KrautError) as caught:
            async with connector.connect(target):
                pass
    return caught.value


async def greet(target: HostTarget) -> bytes:
    async with SshConnector() as connector, connector.connect(target) as shell:
        return (await shell.run("echo hello", timeout_seconds=20)).stdout


async def test_key(sshd: Any) -> None:
    async with SshConnector() as connector, connector.connect(sshd.target) as shell:
        assert shell.machine_id == MACHINE_ID.read_text().strip()
        assert shell.host_key == " ".join(sshd.host_keys[0].split()[:2])


def encrypted(sshd: Any) -> bytes:
    return asyncssh.import_private_key(sshd.client_key).export_private_key("openssh", passphrase="open sesame")


async def test_encrypted_key(sshd: Any) -> None:
    assert await greet(sshd.with_credentials(private_key=encrypted(sshd), passphrase="open sesame")) == b"hello\n"


async def test_a_key_with_a_passphrase_is_decrypted_once_for_all_logins(sshd: Any, monkeypatch: Any) -> None:
    derived = []
    derive = asyncssh.import_private_key

    def counting(text: bytes, passphrase: str | None = None) -> asyncssh.SSHKey:
        derived.append(text)
        return derive(text, passphrase)

    monkeypatch.setattr(asyncssh, "import_private_key", counting)
    target = sshd.with_credentials(private_key=encrypted(sshd), passphrase="open sesame")
    derived.clear()
    assert await asyncio.gather(*(greet(target) for _ in range(4))) == [b"hello\n"] * 4
    assert len(derived) == 1


async def test_packets_are_encrypted_by_the_cheaper_cipher_where_the_host_has_it(sshd: Any) -> None:
    connection = await open_connection(sshd.target, SshSettings(), Handshakes(1, patience_seconds=5))
    try:
        assert connection.get_extra_info("send_cipher") == "aes256-gcm@openssh.com"
    finally:
        connection.abort()


@pytest.mark.parametrize(
    ("passphrase", "reason"), [(None, "PassphraseMissing"), ("", "PassphraseMissing"), ("wrong", "PassphraseWrong")]
)
async def test_encrypted_key_without_its_passphrase(sshd: Any, passphrase: str | None, reason: str) -> None:
    error = await failure(sshd.with_credentials(private_key=encrypted(sshd), passphrase=passphrase))
    assert (type(error), error.reason) == (SecretError, reason)


@pytest.mark.parametrize(
    "text",
    [b"", b"junk", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", b"\xff\xfe"],
)
async def test_malformed_key(sshd: Any, text: bytes) -> None:
    error = await failure(sshd.with_credentials(private_key=text))
    assert (type(error), error.reason) == (SecretError, "PrivateKeyInvalid")
    assert "OpenSSH, PEM or PKCS#8" in str(error)


async def test_neither_key_nor_password(sshd: Any) -> None:
    error = await failure(replace(sshd.target, credentials=Credentials()))
    assert (type(error), error.reason) == (SecretError, "CredentialsMissing")


async def test_wrong_key(sshd: Any) -> None:
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_private_key()
    error = await failure(sshd.with_credentials(private_key=stranger))
    assert (type(error), error.reason) == (AuthenticationError, "AuthenticationFailed")
    assert "sshd does not tell which" in str(error)


async def test_unknown_user(sshd: Any) -> None:
    error = await failure(replace(sshd.target, user="nobody-knows-me"))
    assert (type(error), error.reason) == (AuthenticationError, "AuthenticationFailed")
    assert "nobody-knows-me" in str(error)


async def test_keys_of_the_person_who_runs_the_worker_are_not_used(
    sshd: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_bytes(sshd.client_key)
    (tmp_path / ".ssh" / "config").write_text(f"Host *\n  IdentityFile {tmp_path}/.ssh/id_ed25519\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_private_key()
    assert (await failure(sshd.with_credentials(private_key=stranger))).reason == "AuthenticationFailed"


@pytest.mark.fault(row=15, fault="host key changed", invariants=("U16",))
async def test_host_key_mismatch_shows_both_and_logs_in_nobody(sshd: Any) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519")
    before = sshd.logins()
    error = await failure(replace(sshd.target, host_keys=(other.export_public_key().decode(),)))
    assert (type(error), error.reason) == (HostKeyMismatchError, "HostKeyMismatch")
    shown = asyncssh.import_public_key(sshd.host_keys[0])
    assert other.get_fingerprint() in str(error)
    assert shown.get_fingerprint() in str(error)
    assert sshd.logins() == before


async def test_a_host_that_has_only_keys_of_other_types_is_a_mismatch(sshd: Any) -> None:
    pinned = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key().decode()
    error = await failure(replace(sshd.target, host_keys=(pinned,)))
    assert (type(error), error.reason) == (HostKeyMismatchError, "HostKeyMismatch")
    assert asyncssh.import_public_key(sshd.host_keys[0]).get_fingerprint() in str(error)


async def test_each_type_of_host_key_can_be_pinned_beside_others(start_sshd: Any) -> None:
    sshd = start_sshd(host_key_types=("ssh-rsa", "ecdsa-sha2-nistp256", "ssh-ed25519"))
    for host_key in sshd.host_keys:
        async with SshConnector() as connector, connector.connect(replace(sshd.target, host_keys=(host_key,))) as shell:
            assert shell.host_key == " ".join(host_key.split()[:2])


async def test_malformed_host_key(sshd: Any) -> None:
    error = await failure(replace(sshd.target, host_keys=("ssh-ed25519 AAAA",)))
    assert (type(error), error.reason) == (InvalidSpecError, "HostKeyInvalid")


async def test_no_host_key_is_refused_without_trust_on_first_use(sshd: Any) -> None:
    error = await failure(replace(sshd.target, host_keys=()))
    assert (type(error), error.reason) == (InvalidSpecError, "HostKeyMissing")


async def test_trust_on_first_use_tells_the_key_and_then_holds_to_it(sshd: Any) -> None:
    first = replace(sshd.target, host_keys=(), trust_on_first_use=True)
    async with SshConnector() as connector, connector.connect(first) as shell:
        recorded = shell.host_key
    assert await greet(replace(first, host_keys=(recorded,))) == b"hello\n"
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    assert (await failure(replace(first, host_keys=(other,)))).reason == "HostKeyMismatch"


async def test_another_machine_at_the_address(sshd: Any) -> None:
    error = await failure(replace(sshd.target, machine_id="0" * 32))
    assert (type(error), error.reason) == (MachineIdentityError, "MachineIdentityChanged")
    assert MACHINE_ID.read_text().strip() in str(error)


@pytest.mark.fault(row=15, fault="machine id changed", invariants=("U16",))
async def test_a_pooled_connection_is_held_to_the_machine_id_too(sshd: Any) -> None:
    async with SshConnector() as connector:
        async with connector.connect(sshd.target):
            pass
        with pytest.raises(MachineIdentityError):
            async with connector.connect(replace(sshd.target, machine_id="0" * 32)):
                pass


async def test_jump_host(sshd: Any, start_sshd: Any) -> None:
    jump = start_sshd()
    assert await greet(replace(sshd.target, jump_host=jump.target)) == b"hello\n"
    assert jump.logins() == 1


async def test_jump_host_that_reaches_nothing(sshd: Any, closed_port: int) -> None:
    error = await failure(replace(sshd.target, port=closed_port, jump_host=sshd.target))
    assert (type(error), error.reason) == (UnreachableError, "JumpHostFailed")


async def test_the_key_of_a_jump_host_is_held_to_as_well(sshd: Any, start_sshd: Any) -> None:
    imposter = replace(start_sshd().target, host_keys=sshd.host_keys)
    assert (await failure(replace(sshd.target, jump_host=imposter))).reason == "HostKeyMismatch"


async def test_closed_port(sshd: Any, closed_port: int) -> None:
    error = await failure(replace(sshd.target, port=closed_port))
    assert (type(error), error.reason) == (UnreachableError, "ConnectionRefused")


async def test_unknown_name(sshd: Any) -> None:
    error = await failure(replace(sshd.target, address="no-such-host.invalid"))
    assert (type(error), error.reason) == (UnreachableError, "NameNotResolved")


@pytest.mark.fault(row=14, fault="accepts TCP and says nothing", invariants=("I12",))
async def test_a_port_that_accepts_and_says_nothing(sshd: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = await failure(replace(sshd.target, port=silent.getsockname()[1]), IMPATIENT)
    assert (type(error), error.reason) == (UnreachableError, "LoginTimeout")


async def test_no_answer_at_all(sshd: Any) -> None:
    # A listener whose queue is full drops further connection requests, as a firewall does.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as clients:
        for _ in range(3):
            client = clients.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        error = await failure(
            replace(sshd.target, port=full.getsockname()[1]), SshSettings(connect_timeout_seconds=0.5)
        )
    assert (type(error), error.reason) == (UnreachableError, "ConnectionTimeout")


@pytest.mark.fault(row=14, fault="accepts TCP and says nothing", invariants=("I1",))
async def test_silent_hosts_do_not_hold_up_the_others(sshd: Any) -> None:
    settings = SshSettings(max_handshakes=1, login_timeout_seconds=300)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with SshConnector(settings) as connector:
            stuck = asyncio.ensure_future(_enter(connector, replace(sshd.target, port=silent.getsockname()[1])))
            accepted, _ = await asyncio.to_thread(silent.accept)
            await _enter(connector, sshd.target)
            assert not stuck.done()
            stuck.cancel()
            await asyncio.wait({stuck})
            accepted.close()


async def _enter(connector: SshConnector, target: HostTarget) -> None:
    async with connector.connect(target):
        pass


async def test_a_port_that_speaks_something_else(sshd: Any) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n" * 200)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        error = await failure(replace(sshd.target, port=server.sockets[0].getsockname()[1]))
    assert isinstance(error, UnreachableError)
    assert error.reason in ("SshProtocolError", "ConnectionDropped")


async def test_a_burst_that_sshd_drops_is_transient(start_sshd: Any) -> None:
    sshd = start_sshd("MaxStartups 1:100:1", "LoginGraceTime 60")
    with socket.create_connection(("127.0.0.1", sshd.port)) as unauthenticated:
        unauthenticated.recv(64)
        error = await failure(sshd.target)
    assert (type(error), error.reason) == (UnreachableError, "ConnectionDropped")
    assert "MaxStartups" in str(error)


async def test_no_message_shows_a_secret(sshd: Any, closed_port: int) -> None:
    secret = Credentials(private_key=encrypted(sshd), passphrase="tell-nobody-1", password="tell-nobody-2")
    for target in (sshd.target, replace(sshd.target, port=closed_port), replace(sshd.target, user="nobody-knows-me")):
        error = await failure(replace(target, credentials=secret))
        assert "tell-nobody" not in str(error)
    assert "tell-nobody" not in repr(replace(sshd.target, credentials=secret))
