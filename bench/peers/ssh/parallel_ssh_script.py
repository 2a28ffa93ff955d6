"""``python parallel_ssh_script.py TARGETS SCRIPT``: parallel-ssh runs a script on every host; run with its own environment."""

import json
import sys
from pathlib import Path

from pssh.clients import ParallelSSHClient  # type: ignore[import-not-found]
from pssh.config import HostConfig  # type: ignore[import-not-found]

IN_FLIGHT = 50


def main(targets: Path, script: str) -> int:
    """Run it everywhere; returns how many hosts answered. Raises ChildProcessError when one failed."""
    given = json.loads(targets.read_text())
    hosts = given["hosts"]
    config = [HostConfig(port=host["port"], user="root", private_key=given["key"]) for host in hosts]
    client = ParallelSSHClient([host["address"] for host in hosts], host_config=config, pool_size=IN_FLIGHT)
    outputs = client.run_command(script)
    client.join(outputs)
    for output in outputs:
        said = list(output.stdout)
        if output.exit_code != 0 or not said:
            raise ChildProcessError(f"expected status 0 and output from {output.host}, found {output.exit_code}")
    return len(outputs)


if __name__ == "__main__":
    sys.stdout.write(f"{main(Path(sys.argv[1]), Path(sys.argv[2]).read_text())}\n")
