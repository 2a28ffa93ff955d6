"""Host keys that the person's ssh already trusts, by ``ssh-keygen -F``, which also finds hashed names."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from kraut_cli.hosts.host_keys import parse_known_hosts_matches, pinnable
from kraut_core.errors import PermanentError


def known_host_keys(address: str, port: int, files: Sequence[Path]) -> list[str]:
    """Public-key lines that the files have for a host; [] when they have none. Raises PermanentError without ssh-keygen."""
    # ssh writes the port into the name when it is not 22.
    name = address if port == 22 else f"[{address}]:{port}"
    found = [line for file in files if file.is_file() for line in _search(name, file)]
    return pinnable(found)


def _search(name: str, file: Path) -> list[str]:
    try:
        answer = subprocess.run(
            ["ssh-keygen", "-F", name, "-f", str(file)], capture_output=True, text=True, check=False, timeout=30
        )
    except FileNotFoundError as error:
        raise PermanentError(
            "expected OpenSSH's ssh-keygen on this machine, found none; install openssh-client"
        ) from error
    return parse_known_hosts_matches(answer.stdout)
