import subprocess

import pytest

from kraut_cli.hosts.host_keys import fingerprint, parse_known_hosts_matches, pinnable
from kraut_cli.hosts.key_pair import generate_key_pair, read_key_pair
from kraut_cli.hosts.known_hosts import known_host_keys
from kraut_core.errors import SecretError

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBGjWx52A+NYvkn+fyw3nAsW5FXESFVMJsdrYmw5BOS+"


def keygen(*words, **options):
    return subprocess.run(["ssh-keygen", *words], capture_output=True, text=True, check=True, **options).stdout


def test_ssh_reads_the_generated_pair(tmp_path):
    pair = generate_key_pair()
    private = tmp_path / "key"
    private.write_bytes(pair.private)
    private.chmod(0o600)
    assert keygen("-y", "-P", "", "-f", private).split()[:2] == pair.public.split()
    assert read_key_pair(pair.private) == pair
    assert generate_key_pair() != pair


def test_a_pair_never_shows_its_private_half():
    pair = generate_key_pair()
    assert "PRIVATE" not in repr(pair)


def test_what_is_no_key_of_ours_is_refused_without_being_shown(tmp_path):
    keygen("-q", "-t", "ed25519", "-N", "hunter2", "-f", str(tmp_path / "locked"))
    for content in (b"", b"hunter2", (tmp_path / "locked").read_bytes()):
        with pytest.raises(SecretError) as caught:
            read_key_pair(content)
        assert "hunter2" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_fingerprints_are_those_of_ssh_keygen():
    assert fingerprint(KEY) == keygen("-l", "-f", "-", input=KEY).split()[1]


@pytest.mark.parametrize("line", ["", "ssh-ed25519", "ssh-ed25519 not!base64"])
def test_a_line_without_a_key(line):
    with pytest.raises(ValueError, match="expected an OpenSSH public-key line"):
        fingerprint(line)


def test_keys_that_a_host_may_pin():
    lines = [f"{KEY} root@web1", KEY, "ssh-dss AAAAB3Nz root@web1", "ssh-rsa AAAAB3NzaC1yc2E= x", "garbage"]
    assert pinnable(lines) == [KEY, "ssh-rsa AAAAB3NzaC1yc2E="]


def test_known_hosts_leaves_out_authorities_and_revoked_keys():
    text = f"# Host web1 found: line 1\nweb1 {KEY} comment\n@revoked web1 {KEY}x\n@cert-authority *.com {KEY}y\n"
    assert parse_known_hosts_matches(text) == [KEY]


def test_keys_are_found_in_hashed_files_and_by_port(tmp_path):
    file = tmp_path / "known_hosts"
    file.write_text(f"web1 {KEY}\n[web1]:2222 ssh-rsa AAAAB3NzaC1yc2E=\n")
    keygen("-H", "-f", str(file))
    assert "web1" not in file.read_text()
    assert known_host_keys("web1", 22, [tmp_path / "absent", file]) == [KEY]
    assert known_host_keys("web1", 2222, [file]) == ["ssh-rsa AAAAB3NzaC1yc2E="]
    assert known_host_keys("web2", 22, [file]) == []
