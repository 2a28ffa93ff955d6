import pytest

from kraut_cli.hosts.ssh_command import Destination
from kraut_cli.inventory.connection import NotOverSshError, connection_of
from kraut_cli.inventory.files import Encrypted


@pytest.mark.parametrize(
    ("variables", "address", "port", "user"),
    [
        ({}, "web1", None, None),
        ({"ansible_host": "192.0.2.1", "ansible_port": "2222", "ansible_user": "ann"}, "192.0.2.1", 2222, "ann"),
        ({"ansible_ssh_host": "192.0.2.2", "ansible_ssh_port": 22, "ansible_ssh_user": "bob"}, "192.0.2.2", 22, "bob"),
        ({"ansible_connection": "ansible.builtin.ssh"}, "web1", None, None),
    ],
)
def test_where_and_as_whom(variables, address, port, user):
    found = connection_of("web1", variables)
    assert (found.address, found.port, found.user, found.left) == (address, port, user, [])


@pytest.mark.parametrize(
    "arguments",
    [
        "-o ProxyJump=me@jump.example.com:2222",
        "-J me@jump.example.com:2222",
        "-Jme@jump.example.com:2222",
        "-oProxyJump=me@jump.example.com:2222 -o ControlMaster=auto -o ControlPersist=60s",
        '-o ProxyCommand="ssh -W %h:%p -q -p 2222 me@jump.example.com"',
        '-o "ProxyCommand ssh -p 2222 -W %h:%p me@jump.example.com"',
    ],
)
def test_the_ways_to_name_a_jump_host(arguments):
    found = connection_of("web1", {"ansible_ssh_common_args": arguments})
    assert found.jump == Destination("jump.example.com", 2222, "me")
    assert found.left == []


@pytest.mark.parametrize(
    ("variables", "left"),
    [
        ({"ansible_ssh_common_args": "-o ProxyJump=a,b"}, "one jump host"),
        ({"ansible_ssh_common_args": "-o ProxyCommand='nc -x proxy %h %p'"}, "ProxyCommand"),
        ({"ansible_ssh_extra_args": "-4"}, "the ssh argument -4"),
        ({"ansible_ssh_args": "-o Ciphers=aes128-ctr"}, "the ssh option Ciphers"),
        ({"ansible_ssh_private_key_file": "~/.ssh/id"}, "your private key ~/.ssh/id"),
        ({"ansible_ssh_pass": "hunter2"}, "ansible_password: passwords are never copied"),
        ({"ansible_become_pass": "hunter2"}, "ansible_become_password: passwords are never copied"),
        ({"ansible_become_method": "doas"}, "doas"),
        ({"http_port": 80, "tier": "web"}, "http_port, tier"),
    ],
)
def test_what_is_left_behind_is_said_and_never_a_password(variables, left):
    found = connection_of("web1", variables)
    assert found.jump is None
    assert len(found.left) == 1
    assert left in found.left[0]
    assert "hunter2" not in found.left[0]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ansible_connection": "local"}, "over ssh only"),
        ({"ansible_connection": "winrm"}, "over ssh only"),
        ({"ansible_port": "ssh"}, "expected a port number"),
        ({"ansible_port": 0}, "expected a port number"),
        ({"ansible_host": "{{ private_ip }}"}, "a template"),
        ({"ansible_user": Encrypted()}, "encrypted"),
    ],
)
def test_a_host_that_cannot_be_reached_over_ssh(variables, said):
    with pytest.raises(NotOverSshError, match=said):
        connection_of("web1", variables)
