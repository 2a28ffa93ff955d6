"""Logging in to a real host with real PAM and sudo."""

from dataclasses import replace
from typing import Any

import pytest

from kraut_core.errors import AuthenticationError, KrautError, PrivilegeError, UnreachableError
from kraut_worker.ports import Credentials, HostTarget

pytestmark = pytest.mark.lab


async def greet(host: Any, target: HostTarget) -> bytes:
    async with host.connector.connect(target) as shell:
        return (await shell.run("id -u", timeout_seconds=20)).stdout  # type: ignore[no-any-return]


async def failure(host: Any, target: HostTarget) -> KrautError:
    with pytest.raises(KrautError) as caught:
        await greet(host, target)
    return caught.value


async def test_key_and_the_one_sudo_rule(host: Any) -> None:
    assert host.exec("cat /etc/sudoers.d/*").count("kraut ALL=(root) NOPASSWD: /bin/sh -s\n") == 1
    assert await greet(host, host.target) == b"0\n"


async def test_root(host: Any) -> None:
    assert await greet(host, replace(host.target, user="root")) == b"0\n"


async def test_encrypted_key(lab: Any, host: Any) -> None:
    secret = Credentials(private_key=lab.ssh.encrypted_private_key.read_bytes(), passphrase=lab.ssh.passphrase)
    assert await greet(host, replace(host.target, credentials=secret)) == b"0\n"


async def test_password(lab: Any, host: Any) -> None:
    target = replace(host.target, user="kraut-password", credentials=Credentials(password=lab.ssh.password))
    assert await greet(host, target) == b"0\n"


async def test_password_by_keyboard_interactive_alone(lab: Any, host: Any) -> None:
    lines = "PasswordAuthentication no\\nKbdInteractiveAuthentication yes\\n"
    host.real.exec(f"printf '{lines}' >/etc/ssh/sshd_config.d/kbd.conf && systemctl reload ssh")
    host.real.wait_answers()
    target = replace(host.target, user="kraut-password", credentials=Credentials(password=lab.ssh.password))
    try:
        assert await greet(host, target) == b"0\n"
    finally:
        host.real.exec("rm /etc/ssh/sshd_config.d/kbd.conf; systemctl reload ssh")
        host.real.wait_answers()


async def test_wrong_password(host: Any) -> None:
    target = replace(host.target, user="kraut-password", credentials=Credentials(password="wrong"))
    error = await failure(host, target)
    assert (type(error), error.reason) == (AuthenticationError, "AuthenticationFailed")


async def test_a_locked_account(host: Any) -> None:
    host.real.exec("usermod --expiredate 1 kraut-no-sudo")
    try:
        error = await failure(host, replace(host.target, user="kraut-no-sudo"))
    finally:
        host.real.exec("usermod --expiredate '' kraut-no-sudo")
    assert (type(error), error.reason) == (AuthenticationError, "AccountExpired")


@pytest.mark.fault(row=18, fault="sudo that prompts", invariants=("I12",))
@pytest.mark.parametrize("user", ["kraut-sudo-password", "kraut-no-sudo"])
async def test_sudo_that_wants_a_password(host: Any, user: str) -> None:
    error = await failure(host, replace(host.target, user=user))
    assert (type(error), error.reason) == (PrivilegeError, "SudoPasswordRequired")
    assert f"`{user} ALL=(root) NOPASSWD: /bin/sh -s`" in str(error)


async def test_no_sudo_at_all(host: Any) -> None:
    host.real.exec("mv /usr/bin/sudo /usr/bin/sudo.away")
    try:
        error = await failure(host, host.target)
    finally:
        host.real.exec("mv /usr/bin/sudo.away /usr/bin/sudo")
    assert (type(error), error.reason) == (PrivilegeError, "SudoMissing")


async def test_a_user_without_a_shell(host: Any) -> None:
    host.real.exec("usermod --shell /usr/sbin/nologin kraut-no-sudo")
    try:
        error = await failure(host, replace(host.target, user="kraut-no-sudo"))
    finally:
        host.real.exec("usermod --shell /bin/sh kraut-no-sudo")
    assert (type(error), error.reason) == (PrivilegeError, "ShellUnusable")
    assert "This account is currently not available" in str(error)


async def test_a_host_that_boots_or_shuts_down_is_not_a_wrong_key(host: Any) -> None:
    """pam_nologin(8): what systemd writes while it boots (tmpfiles.d/systemd-nologin.conf) and shuts down (logind)."""
    booting = host.exec("grep -o 'System is booting up[^\"]*' /usr/lib/tmpfiles.d/systemd-nologin.conf").strip()
    assert booting
    for said in (booting, "System is going down. Unprivileged users are not permitted to log in anymore."):
        host.real.exec(f"echo '{said}' >/run/nologin")
        try:
            error = await failure(host, host.target)
        finally:
            host.real.exec("rm -f /run/nologin")
        assert (type(error), error.reason) == (UnreachableError, "HostNotReady")
        assert not error.permanent
