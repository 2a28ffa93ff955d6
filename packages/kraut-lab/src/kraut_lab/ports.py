"""TCP ports on loopback for the parts of a lab."""

from __future__ import annotations

import os
import random
import socket
import sys
from collections import deque
from dataclasses import fields
from pathlib import Path
from typing import Any

from kraut_lab.errors import LabError
from kraut_lab.files import read_json, write_json

# Below Linux's default ephemeral range (ip(7), ip_local_port_range starts at 32768): no outgoing connection
# can take a port between its choice and its use.
_FIRST, _LAST = 20000, 32000
_TRIES = 200

_KEPT = 200
"""The latest reservations of a process; what was chosen before them is in use by now, and each is a descriptor."""
_reserved: deque[int] = deque()


def is_free(port: int, address: str = "127.0.0.1") -> bool:
    """Whether a TCP port can be bound right now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def choose_ports(count: int, address: str = "127.0.0.1") -> list[int]:
    """Choose distinct free ports at random, none that another process of this machine chose and has not used yet.

    Raises:
        LabError: no free ports were found.
    """
    chosen: list[int] = []
    for port in random.sample(range(_FIRST, _LAST), _TRIES):
        if is_free(port, address) and _reserve(port):
            chosen.append(port)
        if len(chosen) == count:
            return chosen
    raise LabError(f"No {count} free TCP ports between {_FIRST} and {_LAST} on {address}: stop what listens there.")


def _reserve(port: int) -> bool:
    """Keep others from choosing it as long as this process lives: an abstract socket (unix(7)) has one owner, and goes with it."""
    if sys.platform != "linux":
        return True
    name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        name.bind(f"\0kraut-port-{port}")
    except OSError:
        name.close()
        return False
    _reserved.append(name.detach())
    if len(_reserved) > _KEPT:
        os.close(_reserved.popleft())
    return True


def recorded_ports(file: Path, kind: type[Any]) -> dict[str, int]:
    """The ports recorded in ``file``, one per field of the dataclass ``kind``; chosen and recorded when there are none."""
    names = [field.name for field in fields(kind)]
    recorded = read_json(file)
    if recorded is None:
        recorded = dict(zip(names, choose_ports(len(names)), strict=True))
        write_json(file, recorded)
    return {name: int(recorded[name]) for name in names}


def replace_taken_ports(file: Path) -> None:
    """Choose again those of the recorded ports that something else has taken since; call while the owner is down."""
    recorded = read_json(file) or {}
    taken = [name for name, port in recorded.items() if not is_free(int(port))]
    if taken:
        write_json(file, {**recorded, **dict(zip(taken, choose_ports(len(taken)), strict=True))})
