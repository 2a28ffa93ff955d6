"""What the options of `kraut host add` come to."""

import subprocess

import pytest

from kraut_cli.hosts.setup import script
from kraut_cli.hosts.ssh_command import Destination
from kraut_cli.hosts.wanted import Wanted

PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBGjWx52A+NYvkn+fyw3nAsW5FXESFVMJsdrYmw5BOS+"


def wanted(**changes):
    nothing = dict.fromkeys(
        ("address", "port", "user", "identity_file", "ssh_config", "jump_host", "site", "updates", "upgrade_policy")
    )
    switches = dict.fromkeys(
        ("accept_new", "ask_sudo_password", "as_root", "rotate_key", "export", "include_secret", "yes", "interactive"),
        False,
    )
    return Wanted(**{"name": "web1", "namespace": "fleet", "trust_host_key": (), **nothing, **switches, **changes})


@pytest.mark.parametrize(
    ("changes", "host", "jump"),
    [
        ({}, "KnownHosts", "KnownHosts"),
        ({"interactive": True}, "Ask", "Ask"),
        ({"accept_new": True, "interactive": True}, "AcceptNew", "AcceptNew"),
        ({"trust_host_key": ("SHA256:x",)}, "Fingerprints", "KnownHosts"),
        ({"trust_host_key": ("SHA256:x",), "accept_new": True}, "Fingerprints", "AcceptNew"),
    ],
)
def test_who_is_believed(changes, host, jump):
    asked = wanted(**changes)
    assert (asked.ssh_options().trust, asked.jump_options().trust) == (host, jump)


def test_the_address_is_the_name_unless_it_is_given():
    assert wanted().destination == Destination("web1")
    assert wanted(address="192.0.2.1", port=2222, user="root").destination == Destination("192.0.2.1", 2222, "root")


def test_the_key_may_run_commands_and_nothing_else():
    setup = wanted().host_setup(PUBLIC)
    assert setup.key == f"restrict {PUBLIC} kraut.dev:fleet/web1"
    assert (setup.user, setup.sudo) == ("kraut", True)
    assert (wanted(as_root=True).host_setup(PUBLIC).user, wanted(as_root=True).host_setup(PUBLIC).sudo) == (
        "root",
        False,
    )


@pytest.mark.parametrize(("address", "target"), [("192.0.2.7", "192.0.2.7:22"), ("2001:db8::7", "[2001:db8::7]:22")])
def test_on_the_jump_host_it_reaches_this_one_host(address, target):
    setup = wanted().jump_setup(PUBLIC, address, 22)
    assert setup.key.startswith(f'restrict,port-forwarding,permitopen="{target}",command="/bin/false" ssh-ed25519 ')
    assert not setup.sudo


def test_the_script_is_posix_shell_and_holds_no_secret():
    text = script(wanted().jump_setup(PUBLIC, "192.0.2.7", 22))
    assert subprocess.run(["sh", "-n"], input=text, text=True, check=False).returncode == 0
    assert "PRIVATE" not in text
