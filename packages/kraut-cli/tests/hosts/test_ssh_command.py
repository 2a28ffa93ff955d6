import subprocess

import click
import pytest

from kraut_cli.hosts.ssh_command import (
    Destination,
    SshOptions,
    fingerprint_script,
    parse_destination,
    parse_query,
    query_argv,
    setup_argv,
)

WEB1 = Destination("192.0.2.10", 2222, "root")


@pytest.mark.parametrize(
    ("text", "destination"),
    [
        ("web1", Destination("web1")),
        ("ann@web1.example.com", Destination("web1.example.com", None, "ann")),
        ("192.0.2.1:2222", Destination("192.0.2.1", 2222)),
        ("2001:db8::1", Destination("2001:db8::1")),
        ("ann@[2001:db8::1]:2222", Destination("2001:db8::1", 2222, "ann")),
        ("[2001:db8::1]", Destination("2001:db8::1")),
    ],
)
def test_a_destination_is_read_and_written(text, destination):
    assert parse_destination(text) == destination
    assert parse_destination(str(destination)) == destination


@pytest.mark.parametrize(
    "text", ["", "@web1", "web1:", "web1:0", "web1:99999", "-oProxyCommand=x", "a@-x", "a b", "a,b", "x@y@z;w"]
)
def test_what_is_no_destination(text):
    with pytest.raises(click.BadParameter, match="expected"):
        parse_destination(text)


def options_of(argv):
    return dict(argv[position + 1].split("=", 1) for position, word in enumerate(argv) if word == "-o")


@pytest.mark.parametrize(
    ("trust", "interactive", "expected"),
    [
        ("Ask", True, {"StrictHostKeyChecking": "ask"}),
        ("KnownHosts", False, {"StrictHostKeyChecking": "yes", "BatchMode": "yes"}),
        ("AcceptNew", False, {"StrictHostKeyChecking": "accept-new", "BatchMode": "yes"}),
        ("AcceptNew", True, {"StrictHostKeyChecking": "accept-new"}),
        (
            "Fingerprints",
            False,
            {
                "StrictHostKeyChecking": "yes",
                "BatchMode": "yes",
                "UserKnownHostsFile": "/dev/null",
                "GlobalKnownHostsFile": "/dev/null",
                "VerifyHostKeyDNS": "no",
                "CheckHostIP": "no",
                "UpdateHostKeys": "no",
                "ControlPath": "none",
                "KnownHostsCommand": "/tmp/trust %f %H %t %K",
            },
        ),
    ],
)
def test_whom_ssh_believes_about_the_host_key(trust, interactive, expected):
    options = SshOptions(trust, interactive, fingerprint_command="/tmp/trust %f %H %t %K")
    found = options_of(setup_argv(WEB1, options))
    asked = {name: value for name, value in found.items() if name in {*expected, "BatchMode", "UserKnownHostsFile"}}
    assert asked == expected


@pytest.mark.parametrize("trust", ["Ask", "KnownHosts", "AcceptNew", "Fingerprints"])
def test_no_configuration_of_the_person_turns_checking_off(trust):
    found = options_of(setup_argv(WEB1, SshOptions(trust, True, fingerprint_command="x")))
    assert found["StrictHostKeyChecking"] in {"ask", "yes", "accept-new"}
    assert found["ForwardAgent"] == "no"


def test_the_persons_own_configuration_and_keys_are_used():
    options = SshOptions("Ask", True, "my.conf", "my.key", Destination("jump", 22, "ann"))
    argv = setup_argv(WEB1, options)
    assert argv[:2] == ["ssh", "-T"]
    assert argv[2:12] == ["-F", "my.conf", "-i", "my.key", "-l", "root", "-p", "2222", "-J", "ann@jump:22"]
    assert argv[-3:-1] == ["--", "192.0.2.10"]
    assert query_argv(Destination("web1"), SshOptions("Ask", True)) == ["ssh", "-G", "--", "web1"]


def test_ssh_itself_accepts_every_option(tmp_path):
    for trust in ("Ask", "KnownHosts", "AcceptNew", "Fingerprints"):
        argv = setup_argv(WEB1, SshOptions(trust, False, fingerprint_command="/bin/true %f %H %t %K"))
        checked = subprocess.run(
            [argv[0], "-G", "-F", "/dev/null", *argv[2:]], capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stderr
        assert parse_query(checked.stdout)["hostname"] == "192.0.2.10"


def test_a_fingerprint_script_names_only_trusted_keys(tmp_path):
    trusted, other = "SHA256:" + "a" * 43, "SHA256:" + "b" * 43
    seen, script = tmp_path / "it's seen", tmp_path / "trust"
    script.write_text(fingerprint_script([trusted], str(seen)))
    script.chmod(0o700)

    def asked(*words):
        return subprocess.run([script, *words], capture_output=True, text=True, check=True).stdout

    assert asked("NONE", "web1", "NONE", "NONE") == ""
    assert asked(other, "web1", "ssh-ed25519", "AAAA") == ""
    assert asked(trusted[:-1], "web1", "ssh-ed25519", "AAAA") == ""
    assert asked(trusted, "web1", "ssh-ed25519", "AAAA") == "web1 ssh-ed25519 AAAA\n"
    assert [line.split()[0] for line in seen.read_text().splitlines()] == [other, trusted[:-1], trusted]
