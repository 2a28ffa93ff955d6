"""A real sshd on loopback, as a process of its own with keys and configuration of its own."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import asyncssh
import pytest

from kraut_core.testing.processes import GUARD
from kraut_worker.ports import Credentials, HostTarget

SSHD = Path("/usr/sbin/sshd")


@dataclass(frozen=True)
class Sshd:
    """A running sshd that lets root in with ``client_key``; ``log`` is its own account of what happened."""

    port: int
    host_keys: tuple[str, ...]
    client_key: bytes
    log: Path

    @property
    def target(self) -> HostTarget:
        return HostTarget(
            address="127.0.0.1",
            port=self.port,
            user="root",
            host_keys=self.host_keys,
            credentials=Credentials(private_key=self.client_key),
        )

    def with_credentials(self, **given: object) -> HostTarget:
        return replace(self.target, credentials=Credentials(**given))  # type: ignore[arg-type]

    def logins(self) -> int:
        return self.log.read_text().count("Accepted ")


StartSshd = Callable[..., Sshd]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until(condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {seconds} s")
        time.sleep(0.02)


@pytest.fixture(scope="session")
def start_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartSshd]:
    """Start sshd with the host keys and options given; it ends with the session."""
    if not SSHD.exists():
        pytest.skip("needs a real sshd: apt-get install openssh-server")
    if os.geteuid() != 0:
        pytest.skip("needs root: sshd lets nobody but its own user in otherwise, and kraut's scripts run as root")
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    running: list[subprocess.Popen[bytes]] = []

    def start(*options: str, host_key_types: tuple[str, ...] = ("ssh-ed25519",)) -> Sshd:
        sshd, process = _start(tmp_path_factory.mktemp("sshd"), options, host_key_types)
        running.append(process)
        return sshd

    yield start
    for process in running:
        process.terminate()
        process.wait(60)


def _start(
    folder: Path, options: tuple[str, ...], host_key_types: tuple[str, ...]
) -> tuple[Sshd, subprocess.Popen[bytes]]:
    host_keys = []
    for kind in host_key_types:
        key = asyncssh.generate_private_key(kind)
        (folder / f"{kind}.key").write_bytes(key.export_private_key())
        (folder / f"{kind}.key").chmod(0o600)
        host_keys.append(key.export_public_key().decode().strip())
    client = asyncssh.generate_private_key("ssh-ed25519")
    (folder / "authorized_keys").write_bytes(client.export_public_key())
    port = _free_port()
    lines = [
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        *(f"HostKey {folder}/{kind}.key" for kind in host_key_types),
        f"AuthorizedKeysFile {folder}/authorized_keys",
        "PermitRootLogin prohibit-password",
        "KbdInteractiveAuthentication no",
        "StrictModes no",
        "PidFile none",
        "UsePAM no",
        *options,
    ]
    (folder / "sshd_config").write_text("\n".join(lines) + "\n")
    log = folder / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*GUARD, SSHD, "-D", "-e", "-f", folder / "sshd_config"], stdin=subprocess.DEVNULL, stderr=stream
        )
    _wait_until(lambda: "Server listening" in log.read_text(), "sshd listening")
    return Sshd(port, tuple(host_keys), client.export_private_key(), log), process


@pytest.fixture(scope="session")
def sshd(start_sshd: StartSshd) -> Sshd:
    """An sshd as Debian ships it, on a free port."""
    return start_sshd()


@pytest.fixture
def closed_port() -> int:
    """A port nobody listens on."""
    return _free_port()


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., None]:
    """Await a condition, given with what it is."""
    return _wait_until
