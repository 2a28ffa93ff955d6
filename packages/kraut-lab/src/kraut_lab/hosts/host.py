"""One real host of a lab: start it, run commands on its console, reboot it, cut its power or its network."""

from __future__ import annotations

import socket
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from ipaddress import IPv4Address
from pathlib import Path

from kraut_lab import cgroups
from kraut_lab.apt.package import MAINTAINER_LOG
from kraut_lab.daemon import READY_SECONDS, Daemon
from kraut_lab.errors import LabError
from kraut_lab.hosts.credentials import write_key_pair
from kraut_lab.hosts.layer import write_file
from kraut_lab.hosts.processtable import is_init, processes_in_namespace
from kraut_lab.names import LabNames
from kraut_lab.network import NetworkFaults
from kraut_lab.network.network import namespace_inode
from kraut_lab.processes import ProcessId, kill_all
from kraut_lab.programs import run
from kraut_lab.waiting import wait_for, wait_until

_SSH_PORT = 22
_HOST_KEY = "etc/ssh/ssh_host_ed25519_key"


@dataclass(frozen=True)
class MaintainerLogEntry:
    """One configured package, as its postinst recorded it on the host."""

    time: str
    package: str
    version: str
    boot_id: str


class LabHost:
    """A host whose files are in ``<lab>/hosts/<name>``."""

    port = _SSH_PORT
    user = "kraut"

    def __init__(self, names: LabNames, name: str, address: IPv4Address) -> None:
        self.name = name
        self.address = str(address)
        self.namespace = names.namespace(name)
        self.network = NetworkFaults(self.namespace)
        self.supervisor = Daemon(names.folder, f"host-{name}")
        self._names = names
        self._folder = names.folder / "hosts" / name
        self._power = self._folder / "power"
        self._cgroup = f"{names.cgroup}/{name}"

    @cached_property
    def machine_id(self) -> str:
        """machine-id(5): 32 hexadecimal digits."""
        return (self._folder / "upper/etc/machine-id").read_text().strip()

    @cached_property
    def host_key(self) -> str:
        """The public host key as an OpenSSH line, ``ssh-ed25519 AAAA…``."""
        line = (self._folder / "upper" / f"{_HOST_KEY}.pub").read_text()
        return " ".join(line.split()[:2])

    @property
    def boot_id(self) -> str:
        """The id of the running boot (random(4)); changes with every reboot."""
        return self.exec("cat /proc/sys/kernel/random/boot_id").stdout.strip()

    @property
    def pid(self) -> int | None:
        """The host's PID 1 as the machine sees it; None while the host is off."""
        inode = namespace_inode(self.namespace)
        found = [] if inode is None else processes_in_namespace(inode)
        return next((pid for pid in found if is_init(pid)), None)

    def describe(self) -> dict[str, str | int]:
        """What a client needs to reach it, as JSON."""
        return {
            "name": self.name,
            "address": self.address,
            "port": self.port,
            "user": self.user,
            "hostKey": self.host_key,
            "machineID": self.machine_id,
            "networkNamespace": self.namespace,
        }

    def is_running(self) -> bool:
        """Whether its power is on and its supervisor runs."""
        return self._power.exists() and self.supervisor.is_running()

    def answers(self) -> bool:
        """Whether its sshd sends its banner."""
        try:
            with socket.create_connection((self.address, self.port), timeout=1) as connection:
                return connection.recv(8).startswith(b"SSH-2.0-")
        except OSError:
            return False

    def exec(self, command: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run POSIX shell as root on the host's console: no network, no sshd needed.

        Raises:
            LabError: the host is off, or the command failed and ``check`` is true.
        """
        pid = self.pid
        if pid is None:
            raise LabError(f"{self.name} is off, so `{command}` cannot run on it. Call power_on() first.")
        return run(["nsenter", f"--target={pid}", "--all", "/bin/sh", "-c", f"cd / && {command}"], check=check)

    def maintainer_log(self) -> list[MaintainerLogEntry]:
        """What the maintainer scripts of the lab's packages have recorded, oldest first."""
        text = self.exec(f"cat {MAINTAINER_LOG}").stdout
        return [MaintainerLogEntry(*line.split()) for line in text.splitlines()]

    def configure(self, *, layers: Sequence[Path], hosts_file: str, apt_sources: str) -> None:
        """Write what is this host's own: identity, names, package sources. The host must be off.

        Args:
            layers: lower folders of its root file system, topmost first.
        """
        upper = self._folder / "upper"
        for name in ("upper", "work", "root"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        upper.chmod(0o755)
        (self._folder / "layers").write_text(":".join(map(str, layers)))
        if not (upper / "etc/machine-id").exists():
            write_file(upper, "etc/machine-id", f"{uuid.uuid4().hex}\n", mode=0o444)
        if not (upper / f"{_HOST_KEY}.pub").exists():
            (upper / "etc/ssh").mkdir(mode=0o755, exist_ok=True)
            write_key_pair(upper / _HOST_KEY, comment=f"root@{self.name}")
        write_file(upper, "etc/hostname", f"{self.name}\n")
        write_file(upper, "etc/hosts", hosts_file)
        write_file(upper, "etc/apt/sources.list", apt_sources)

    def power_on(self, *, wait: bool = True) -> None:
        """Start the host unless it runs, and wait until its sshd answers."""
        self._power.touch()
        if not self.supervisor.is_running():
            self._kill_leftovers()
            self.supervisor.start(self._supervisor_argv(), {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        if wait:
            self.wait_answers()

    def wait_answers(self, *, timeout: float = READY_SECONDS) -> None:
        """Wait until its sshd answers.

        Raises:
            PartFailedError: the host's supervisor ended; the message carries the end of its console.
        """
        self.supervisor.wait_ready(self.answers, f"sshd answers on {self.address}:{self.port}", timeout=timeout)

    def power_off(self) -> None:
        """Cut its power: everything on it ends at once and unsynced. It stays off until `power_on`."""
        self._power.unlink(missing_ok=True)
        self._cut()
        if process := self.supervisor.process:
            wait_until(lambda: process.wait(1), f"{self.name}'s supervisor to end", timeout=30)
        self._kill_leftovers()

    def reset(self) -> None:
        """Press the reset button: everything on it ends at once and unsynced, and it boots again."""
        before = self.pid
        self._cut()
        wait_for(lambda: self.pid if self.pid != before else None, f"{self.name} to boot again")

    def reboot(self) -> None:
        """Reboot it in good order and wait until its sshd answers again."""
        before = self.pid
        self.exec("systemctl reboot")
        wait_for(lambda: self.pid if self.pid != before else None, f"{self.name} to boot again")
        self.wait_answers()

    def break_boot(self) -> None:
        """Let it not come back from its next reboot; `power_on` repairs it."""
        self._power.unlink(missing_ok=True)

    def _cut(self) -> None:
        pid = self.pid
        process = ProcessId.of(pid) if pid else None
        # The kernel kills all others in the namespace with its PID 1 (pid_namespaces(7)).
        kill_all([process] if process else [])

    def _kill_leftovers(self) -> None:
        inode = namespace_inode(self.namespace)
        pids = set(processes_in_namespace(inode) if inode else []) | cgroups.processes(self._cgroup)
        kill_all([process for pid in pids if (process := ProcessId.of(pid))])

    def _supervisor_argv(self) -> list[str]:
        folders = (self._folder / name for name in ("upper", "work", "root"))
        layers = (self._folder / "layers").read_text()
        script = str(files("kraut_lab.hosts") / "supervise.sh")
        return [
            *("unshare", "--mount", "--propagation=slave", "/bin/sh", script, layers, *map(str, folders)),
            *(str(self._power), self.namespace, self.name, *map(str, cgroups.create(self._cgroup))),
        ]
