import pytest

from kraut_cli.hosts.setup_result import parse_setup, refused_fingerprints
from kraut_cli.hosts.ssh_command import Destination
from kraut_core.errors import (
    AuthenticationError,
    HostKeyMismatchError,
    PermanentError,
    PrivilegeError,
    UnreachableError,
)

WEB1 = Destination("192.0.2.10", None, "ann")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBGjWx52A+NYvkn+fyw3nAsW5FXESFVMJsdrYmw5BOS+"


def test_what_the_script_said_is_told_from_the_hosts_noise():
    stdout = (
        f"Welcome to web1!\nkraut:key {KEY}\nkraut:did made the user kraut\nkraut:warning AllowGroups\nkraut:done\n"
    )
    result = parse_setup(stdout, "", 0, WEB1)
    assert (result.host_keys, result.did, result.warnings) == ([KEY], ["made the user kraut"], ["AllowGroups"])


# What OpenSSH 9.2 and sudo 1.9.13 print.
@pytest.mark.parametrize(
    ("stdout", "stderr", "code", "error", "said"),
    [
        ("kraut:error visudo refuses the rule\n", "", 1, PermanentError, "visudo refuses the rule"),
        ("kraut:done\n", "", 0, PermanentError, "expected the host keys of its sshd"),
        (f"kraut:key {KEY}\n", "", 0, PermanentError, "ended early: exit code 0"),
        (
            f"kraut:key {KEY}\n",
            "Connection to 192.0.2.10 closed by remote host.\n",
            255,
            UnreachableError,
            "closed by remote host",
        ),
        ("", "", 90, PrivilegeError, "--ask-sudo-password"),
        ("", "", 91, PrivilegeError, "there is no sudo"),
        ("", "", 92, PrivilegeError, "did not take the password"),
        ("", "ann@192.0.2.10: Permission denied (publickey).\n", 255, AuthenticationError, "must work for you first"),
        (
            "",
            "ssh: connect to host 192.0.2.10 port 22: Connection refused\n",
            255,
            UnreachableError,
            "Connection refused",
        ),
        ("", "ssh: Could not resolve hostname web1: Name or service not known\n", 255, UnreachableError, "not known"),
        (
            "",
            "No ED25519 host key is known for 192.0.2.10 and you have requested strict checking.\nHost key verification failed.\n",
            255,
            HostKeyMismatchError,
            "--trust-host-key",
        ),
        (
            "",
            "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.\n",
            255,
            HostKeyMismatchError,
            "ssh-keygen -R 192.0.2.10",
        ),
    ],
)
def test_why_a_host_is_not_set_up(stdout, stderr, code, error, said):
    with pytest.raises(error, match=said) as caught:
        parse_setup(stdout, stderr, code, WEB1)
    assert str(caught.value).startswith("ann@192.0.2.10: ")


def test_a_refused_key_is_shown_beside_the_trusted_ones():
    error = refused_fingerprints(["SHA256:b ssh-ed25519", "SHA256:b ssh-ed25519"], ["SHA256:a"], WEB1)
    assert "expected a key with fingerprint SHA256:a, found SHA256:b (ssh-ed25519); nothing was sent" in str(error)
