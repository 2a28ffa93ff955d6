"""``python -m bench.subjects.gather TARGETS all|base``: facts of many hosts by the worker's own adapter and facts.

TARGETS is a JSON file: ``key`` (path of the private key) and ``hosts`` (``name``, ``address``, ``port``, ``hostKey``).
``base`` leaves the state of the packages out, which peers do not read either.
"""

import asyncio
import json
import secrets
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from kraut_worker.adapters.ssh import SshConnector
from kraut_worker.facts.capacity import CAPACITY
from kraut_worker.facts.cluster_node import CLUSTER_NODE
from kraut_worker.facts.fact import Fact
from kraut_worker.facts.gather import gather_facts
from kraut_worker.facts.machine import MACHINE
from kraut_worker.facts.model import FactError
from kraut_worker.facts.os_release import OS_RELEASE
from kraut_worker.facts.reboot_required import REBOOT_REQUIRED
from kraut_worker.facts.sections import join_commands, split_answers
from kraut_worker.ports import Credentials, HostTarget, Shell

BASE: tuple[Fact[Any], ...] = (OS_RELEASE, MACHINE, CAPACITY, REBOOT_REQUIRED, CLUSTER_NODE)
OLD = timedelta(days=365)
IN_FLIGHT = 50


async def main(targets: Path, what: str) -> int:
    """Gather; returns how many hosts told everything."""
    given = json.loads(targets.read_text())
    credentials = Credentials(private_key=Path(given["key"]).read_bytes())
    limit = asyncio.Semaphore(IN_FLIGHT)

    async with SshConnector() as connector:

        async def one(host: Any) -> None:
            target = HostTarget(
                address=host["address"],
                port=host["port"],
                user="root",
                host_keys=(host["hostKey"],),
                credentials=credentials,
                uid=host["name"],
            )
            async with limit, connector.connect(target) as shell:
                await (read_base(shell) if what == "base" else read_all(shell))

        async with asyncio.TaskGroup() as group:
            for host in given["hosts"]:
                group.create_task(one(host))
    return len(given["hosts"])


async def read_all(shell: Shell) -> None:
    """Everything that the worker reads. Raises ValueError when a fact is missing."""
    facts = await gather_facts(shell, max_list_age=OLD)
    for fact in (facts.os_release, facts.machine, facts.capacity, facts.packages):
        if isinstance(fact, FactError):
            raise ValueError(f"expected all facts, found {fact}")  # noqa: TRY004 (a fact that failed is a value, not a wrong type)


async def read_base(shell: Shell) -> None:
    """The same without packages, by the same script and parsers."""
    marker = secrets.token_hex(16)
    result = await shell.run(join_commands(BASE, marker), timeout_seconds=120)
    answers = split_answers(result.stdout, result.stderr, marker)
    for fact in BASE:
        fact.parse(answers[fact.name])


if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))}\n")
