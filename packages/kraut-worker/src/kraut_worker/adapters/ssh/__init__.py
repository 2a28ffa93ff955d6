"""SSH by asyncssh: ``SshConnector`` is the HostConnector of the worker."""
