"""PerSourcePenalties of OpenSSH 9.8 and later, which may lock the manager's address out, with Debian 13's own sshd."""

import asyncio
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from kraut_core.errors import AuthenticationError, UnreachableError
from kraut_core.testing.processes import GUARD
from kraut_lab.hosts.image import HostImage, ensure_image
from kraut_lab.requirements import check_host_requirements
from kraut_lab.settings import load_lab_settings
from kraut_worker.adapters.ssh import SshConnector
from kraut_worker.ports import Credentials, HostTarget

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(300)]

# An overlay over Debian 13 in a mount namespace of its own: it vanishes with the process.
ENTER = """
mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" overlay "$2/root"
cd "$2/root"
mount -t proc proc proc
mount --rbind /dev dev
mkdir -p run/sshd
exec chroot . /usr/sbin/sshd -D -e -f /etc/ssh/kraut
"""
CONFIGURATION = """
Port {port}
ListenAddress 127.0.0.1
HostKey /etc/ssh/kraut.key
AuthorizedKeysFile /etc/ssh/kraut.authorized
PermitRootLogin prohibit-password
StrictModes no
PidFile none
UsePAM no
PerSourcePenalties authfail:10s min:5s max:20s
"""


def authorized(folder: Path, port: int) -> tuple[str, bytes]:
    """Write what makes it a host; the host's public key and the private key that opens it."""
    etc = folder / "upper" / "etc" / "ssh"
    etc.mkdir(parents=True)
    for name in ("work", "root"):
        (folder / name).mkdir()
    (etc.parent / "machine-id").write_text(f"{uuid.uuid4().hex}\n")
    host, client = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    (etc / "kraut.key").write_bytes(host.export_private_key())
    (etc / "kraut.key").chmod(0o600)
    (etc / "kraut.authorized").write_bytes(client.export_public_key())
    (etc / "kraut").write_text(CONFIGURATION.format(port=port))
    return host.export_public_key().decode().strip(), client.export_private_key()


@pytest.fixture
def strict_sshd(tmp_path: Path, closed_port: int, wait_until) -> Iterator[HostTarget]:
    """Debian 13's sshd, which penalises an address for failed logins."""
    check_host_requirements()
    settings = load_lab_settings()
    base = ensure_image(HostImage("trixie"), settings.cache_dir, mirror=settings.debian_mirror)
    host_key, client_key = authorized(tmp_path, closed_port)
    log = tmp_path / "log"
    argv = [*GUARD, "unshare", "--mount", "--propagation=private", "sh", "-euc", ENTER, "sh", str(base), str(tmp_path)]
    with log.open("wb") as stream, subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=stream) as process:
        wait_until(lambda: "Server listening" in log.read_text(), "sshd listening")
        yield HostTarget(
            address="127.0.0.1",
            port=closed_port,
            user="root",
            host_keys=(host_key,),
            credentials=Credentials(private_key=client_key),
        )
        process.terminate()


async def enter(target: HostTarget) -> bytes:
    async with SshConnector() as connector, connector.connect(target) as shell:
        return (await shell.run("id -u", timeout_seconds=20)).stdout


@pytest.mark.fault(row=14, fault="PerSourcePenalties", invariants=("I1", "I12"))
async def test_an_address_that_is_penalised_is_let_in_again(strict_sshd: HostTarget) -> None:
    assert await enter(strict_sshd) == b"0\n"
    wrong = Credentials(private_key=asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    with pytest.raises(AuthenticationError):
        await enter(replace(strict_sshd, credentials=wrong))
    refusals = await refusals_until_entered(strict_sshd)
    assert refusals
    assert {(error.reason, error.permanent) for error in refusals} == {("ConnectionDropped", False)}
    assert all("PerSourcePenalties" in str(error) for error in refusals)


async def refusals_until_entered(target: HostTarget) -> list[UnreachableError]:
    refusals = []
    async with asyncio.timeout(120):
        while True:
            try:
                await enter(target)
            except UnreachableError as error:
                refusals.append(error)
                await asyncio.sleep(1)
            else:
                return refusals
