"""Record what a host says: one folder per fact, to be read and corrected by a person before it is committed.

python packages/kraut-worker/tests/facts/record.py --address 10.0.0.1 --key ~/.ssh/id --case bookworm-fresh \
    --machine "Debian 12.15, mmdebstrap minbase in systemd-nspawn" [fact ...]
"""

import argparse
import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from kraut_worker.adapters.ssh import SshConnector
from kraut_worker.facts.fact import Answer, Fact
from kraut_worker.facts.gather import all_facts
from kraut_worker.ports import Credentials, HostTarget, Shell
from kraut_worker.testing import read_as_json

ROOT = Path(__file__).parent


async def record(shell: Shell, fact: Fact[Any], case: str, machine: str) -> None:
    result = await shell.run(f"(\n{fact.command}\n)", timeout_seconds=300)
    folder = ROOT / fact.name / case
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "output").write_bytes(result.stdout)
    if result.stderr:
        (folder / "stderr").write_bytes(result.stderr)
    meta = {"machine": machine, "command": fact.command.strip().splitlines(), "exitStatus": result.exit_status}
    (folder / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")
    answer = Answer(
        result.exit_status, result.stdout.decode("utf-8", "replace"), result.stderr.decode("utf-8", "replace")
    )
    (folder / "expected.json").write_text(json.dumps(read_as_json(fact, answer), indent=2) + "\n")


async def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--address", required=True)
    options.add_argument("--port", type=int, default=22)
    options.add_argument("--key", type=Path, required=True)
    options.add_argument("--case", required=True)
    options.add_argument("--machine", required=True)
    options.add_argument("facts", nargs="*")
    chosen = options.parse_args()
    target = HostTarget(
        address=chosen.address,
        port=chosen.port,
        user="root",
        trust_on_first_use=True,
        credentials=Credentials(private_key=chosen.key.read_bytes()),
    )
    async with SshConnector() as connector, connector.connect(target) as shell:
        for fact in all_facts(timedelta(0)):
            if not chosen.facts or fact.name in chosen.facts:
                await record(shell, fact, chosen.case, chosen.machine)


if __name__ == "__main__":
    asyncio.run(main())
