"""Which process a temporary lab belongs to, so that a later run can remove what a killed one left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from kraut_lab.files import read_json, write_json
from kraut_lab.processes import ProcessId

_FILE = "owner.json"


def claim(folder: Path) -> None:
    """Record this process as the owner of the lab in ``folder``, which is created."""
    owner = ProcessId.of(os.getpid())
    if owner is not None:
        write_json(folder / _FILE, {**asdict(owner), "bootId": boot_id()})


def abandoned(state_dir: Path) -> Iterator[Path]:
    """The folders in ``state_dir`` whose owner no longer runs; labs without an owner are a person's, not these."""
    for file in sorted(state_dir.glob(f"*/{_FILE}")):
        record = read_json(file)
        if record is None:
            continue
        owner = ProcessId(int(record["pid"]), int(record["start_time"]))
        if record.get("bootId") != boot_id() or not owner.is_alive():
            yield file.parent


def boot_id() -> str:
    """The machine's boot id (random(4)): pids mean nothing after another boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
