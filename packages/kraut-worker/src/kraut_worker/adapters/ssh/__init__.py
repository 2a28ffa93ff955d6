"""SSH by asyncssh: ``SshConnector`` is the HostConnector of the worker."""

from kraut_worker.adapters.ssh.pool import SshConnector
from kraut_worker.adapters.ssh.settings import SshSettings

__all__ = ["SshConnector", "SshSettings"]
