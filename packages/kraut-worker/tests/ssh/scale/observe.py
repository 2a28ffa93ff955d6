"""Observe every host of a farm at once, as the worker does, and say what that cost; a process of its own.

A host may name a user and a key file of its own.

usage: python observe.py FOLDER '{"maxHosts": 100, "patient": false, "ssh": {...SshSettings}}'

It prints one JSON document. ``order`` are the kinds in the order in which their hosts came to an end. With ``patient`` the
half-dead hosts are waited for; without, they are cancelled when all others have ended.
"""

import asyncio
import gc
import json
import os
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

from kraut_core.errors import KrautError
from kraut_worker.adapters.ssh import SshConnector, SshSettings
from kraut_worker.facts.gather import gather_facts
from kraut_worker.facts.model import Machine
from kraut_worker.ports import Credentials, HostTarget

HALF_DEAD = ("mute", "stuck")


def cost():
    """Resident memory in bytes, open descriptors, tasks."""
    gc.collect()
    return {
        "memory": int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "tasks": len(asyncio.all_tasks()),
    }


async def main(folder, options):
    key = (folder / "key").read_bytes()
    hosts = json.loads((folder / "hosts.json").read_text())
    targets = [
        HostTarget(
            address=host["address"],
            port=host["port"],
            user=host.get("user", "kraut"),
            host_keys=(host["hostKey"],),
            credentials=Credentials(private_key=Path(host["key"]).read_bytes() if "key" in host else key),
            uid=str(number),
        )
        for number, host in enumerate(hosts)
    ]
    slots = asyncio.Semaphore(options["maxHosts"])
    order, results = [], Counter()

    async def observe(host, target):
        async with slots:
            try:
                async with connector.connect(target) as shell:
                    facts = await gather_facts(shell, max_list_age=timedelta(hours=1))
                    assert shell.machine_id == host["machineID"]
                    assert isinstance(facts.machine, Machine)
                result = "observed"
            except KrautError as error:
                result = f"{error.reason}{' for good' if error.permanent else ''}"
        order.append(host["kind"])
        results[f"{host['kind']}: {result}"] += 1

    warm = next(number for number, host in enumerate(hosts) if host["kind"] == "healthy")
    async with SshConnector(SshSettings(**options["ssh"])) as connector:
        await observe(hosts[warm], targets[warm])
    order.clear()
    results.clear()
    before = cost()
    most = dict(before)

    async def watch():
        while True:
            now = {**cost(), "memory": 0}
            most.update({name: max(most[name], now[name]) for name in now})
            await asyncio.sleep(0.1)

    watching = asyncio.create_task(watch())
    async with SshConnector(SshSettings(**options["ssh"])) as connector:
        begun, cpu = time.monotonic(), time.process_time()
        tasks = {
            asyncio.create_task(observe(host, target)): host["kind"]
            for host, target in zip(hosts, targets, strict=True)
        }
        await asyncio.gather(*(task for task, kind in tasks.items() if kind not in HALF_DEAD))
        wall, cpu = time.monotonic() - begun, time.process_time() - cpu
        connected = cost()
        if not options["patient"]:
            for task in tasks:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    # What the loop still has to close is closed with its next turns.
    for _ in range(3):
        await asyncio.sleep(0)
    report = {
        "hosts": dict(Counter(host["kind"] for host in hosts)),
        "results": dict(sorted(results.items())),
        "order": order,
        "seconds": round(wall, 2),
        "cpuSeconds": round(cpu, 2),
        "before": before,
        "connected": connected,
        "most": most,
        "after": cost(),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), json.loads(sys.argv[2])))
