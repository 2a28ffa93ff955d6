"""How Ansible reaches a host, in the words of a Host (pure).

https://docs.ansible.com/ansible/latest/inventory_guide/intro_inventory.html#connecting-to-hosts-behavioral-inventory-parameters
"""

import re
import shlex
from dataclasses import dataclass, field
from typing import Any, Final

import click

from kraut_cli.hosts.ssh_command import Destination, parse_destination
from kraut_cli.inventory.files import Encrypted
from kraut_cli.inventory.model import Variables

_SSH_ARGUMENTS: Final = ("ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args")
_ALIASES: Final = {
    "ansible_ssh_host": "ansible_host",
    "ansible_ssh_port": "ansible_port",
    "ansible_ssh_user": "ansible_user",
    "ansible_ssh_pass": "ansible_password",
    "ansible_ssh_password": "ansible_password",
    "ansible_sudo_pass": "ansible_become_password",
    "ansible_become_pass": "ansible_become_password",
    "ansible_private_key_file": "ansible_ssh_private_key_file",
}
_READ: Final = frozenset({"ansible_host", "ansible_port", "ansible_user", "ansible_connection", *_SSH_ARGUMENTS})
_NOT_NEEDED: Final = frozenset(
    {
        "ansible_become",
        "ansible_become_user",
        "ansible_python_interpreter",
        "ansible_shell_type",
        "ansible_group_priority",
    }
)
_PASSWORDS: Final = frozenset({"ansible_password", "ansible_become_password"})
_HARMLESS_SSH: Final = re.compile(
    r"(?i)(ControlMaster|ControlPersist|ControlPath|ServerAlive\w+|ConnectTimeout|Compression)\b"
)


class NotOverSshError(ValueError):
    """Ansible reaches this host by other ways than ssh; the message says which."""


@dataclass(slots=True)
class Connection:
    """``left``: what could not be carried over, in sentences."""

    address: str
    port: int | None = None
    user: str | None = None
    jump: Destination | None = None
    left: list[str] = field(default_factory=list)


def connection_of(name: str, raw: Variables) -> Connection:
    """How a host is reached. Raises NotOverSshError."""
    variables = {_ALIASES.get(key, key): value for key, value in raw.items()}
    transport = str(variables.get("ansible_connection", "ssh"))
    if transport.rpartition(".")[2] not in {"ssh", "smart", "paramiko", "paramiko_ssh"}:
        raise NotOverSshError(f"ansible_connection is {transport}, and kraut reaches hosts over ssh only")
    found = Connection(_text(variables, "ansible_host") or name, _port(variables), _text(variables, "ansible_user"))
    for key in _SSH_ARGUMENTS:
        _read_ssh_arguments(_text(variables, key) or "", found)
    found.left += _left(variables)
    return found


def _text(variables: dict[str, Any], key: str) -> str | None:
    value = variables.get(key)
    if value is None:
        return None
    if isinstance(value, Encrypted) or "{{" in str(value):
        what = "encrypted" if isinstance(value, Encrypted) else f"a template ({value})"
        raise NotOverSshError(f"{key} is {what}, which only Ansible can read: ansible-inventory --list resolves it")
    return str(value)


def _port(variables: dict[str, Any]) -> int | None:
    text = _text(variables, "ansible_port")
    if text is None:
        return None
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise NotOverSshError(f"expected a port number in ansible_port, found {text!r}")
    return int(text)


def _read_ssh_arguments(text: str, found: Connection) -> None:
    words = shlex.split(text)
    while words:
        word = words.pop(0)
        if word in {"-o", "-J"} and words:
            option = words.pop(0) if word == "-o" else f"ProxyJump={words.pop(0)}"
        elif word.startswith(("-o", "-J")):
            option = word[2:] if word.startswith("-o") else f"ProxyJump={word[2:]}"
        else:
            found.left.append(f"the ssh argument {word}")
            continue
        _read_option(option, found)


def _read_option(option: str, found: Connection) -> None:
    keyword, *values = re.split(r"\s*[=\s]\s*", option.strip(), maxsplit=1)
    jump = "".join(values).strip("\"'")
    if keyword.lower() == "proxycommand":
        jump = _jump_of_proxy_command(jump)
    elif keyword.lower() != "proxyjump":
        if not _HARMLESS_SSH.match(keyword):
            found.left.append(f"the ssh option {option}")
        return
    try:
        found.jump = parse_destination(jump)
    except click.BadParameter:
        found.left.append(f"the ssh option {option} (kraut goes through one jump host, or none)")


def _jump_of_proxy_command(command: str) -> str:
    """The host in ``ssh [-q] [-p PORT] -W %h:%p [USER@]HOST``; anything else gives what no destination is."""
    match = re.fullmatch(
        r"ssh(?:\s+-q)?(?:\s+-p\s*(?P<first>\d+))?\s+-W\s+\"?\[?%h\]?:%p\"?(?:\s+-q)?(?:\s+-p\s*(?P<second>\d+))?\s+(?P<host>\S+)",
        command,
    )
    if match is None:
        return ""
    port = match["first"] or match["second"]
    return f"{match['host']}:{port}" if port else match["host"]


def _left(variables: dict[str, Any]) -> list[str]:
    left = []
    if key := variables.get("ansible_ssh_private_key_file"):
        left.append(f"your private key {key}: it stays yours, the Secret holds kraut's")
    left += [f"{name}: passwords are never copied" for name in sorted(_PASSWORDS & set(variables))]
    method = str(variables.get("ansible_become_method", "sudo"))
    if method.rpartition(".")[2] != "sudo":
        left.append(f"ansible_become_method {method}: kraut uses sudo")
    known = _READ | _NOT_NEEDED | _PASSWORDS | {"ansible_ssh_private_key_file", "ansible_become_method"}
    if others := sorted(set(variables) - known):
        shown = ", ".join(others[:8]) + (f" and {len(others) - 8} more" if len(others) > 8 else "")
        left.append(f"variables that are not about the connection: {shown}")
    return left
