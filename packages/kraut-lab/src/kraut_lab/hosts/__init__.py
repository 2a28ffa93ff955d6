"""Real Debian hosts: systemd, sshd, sudo and apt in containers of systemd-nspawn, each in its own network namespace."""

from kraut_lab.hosts.host import LabHost
from kraut_lab.hosts.image import HostImage

__all__ = ["HostImage", "LabHost"]
