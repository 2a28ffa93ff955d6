"""The lab's hosts in the words of every tool that reaches them; several names may stand for one host."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kraut_lab.lab import Lab


@dataclass(frozen=True, slots=True)
class Target:
    """One place to connect to: real sshd, real host."""

    name: str
    address: str
    port: int
    host_key: str


@dataclass(frozen=True, slots=True)
class Files:
    """What the tools read, in one folder."""

    targets: Path
    ansible_inventory: Path
    pyinfra_inventory: Path
    known_hosts: Path
    environment: dict[str, str]


def targets_of(lab: Lab, count: int) -> list[Target]:
    """``count`` targets over the lab's hosts, evenly."""
    hosts = lab.hosts
    chosen = [(number, hosts[number % len(hosts)]) for number in range(count)]
    return [Target(f"t{number}", host.address, host.port, host.host_key) for number, host in chosen]


def write_files(lab: Lab, targets: Sequence[Target], folder: Path) -> Files:
    """Write inventories and known_hosts; all tools log in as root with the lab's key, and check host keys."""
    key = str(lab.ssh.private_key)
    files = Files(
        folder / "targets.json",
        folder / "hosts.ini",
        folder / "inventory.py",
        folder / "known_hosts",
        {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(folder), "LC_ALL": "C.UTF-8"},
    )
    described = [{"name": t.name, "address": t.address, "port": t.port, "hostKey": t.host_key} for t in targets]
    files.targets.write_text(json.dumps({"key": key, "hosts": described}))
    lines = {f"{target.address} {target.host_key}\n" for target in targets}
    files.known_hosts.write_text("".join(sorted(lines)))
    options = f"ansible_user=root ansible_ssh_private_key_file={key} ansible_python_interpreter=/usr/bin/python3"
    arguments = f"ansible_ssh_common_args='-o UserKnownHostsFile={files.known_hosts}'"
    rows = [f"{t.name} ansible_host={t.address} ansible_port={t.port} {options} {arguments}\n" for t in targets]
    files.ansible_inventory.write_text("".join(rows))
    data = {"ssh_user": "root", "ssh_key": key, "ssh_known_hosts_file": str(files.known_hosts)}
    places = [(t.name, {"ssh_hostname": t.address, "ssh_port": t.port, **data}) for t in targets]
    files.pyinfra_inventory.write_text(f"hosts = {places!r}\n")
    return files
