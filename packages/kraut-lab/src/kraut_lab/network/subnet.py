"""Which /24 of the benchmark range a lab takes (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network

from kraut_lab.errors import LabError

RANGE = IPv4Network("198.18.0.0/15")
"""Reserved for benchmarks (RFC 2544): routed nowhere, so a lab meets nothing that is real."""

_RESERVED = IPv4Network("198.19.240.0/20")  # Services and pods of lab clusters


def choose_subnet(taken: Iterable[IPv4Network], *, wish: IPv4Network | None = None) -> IPv4Network:
    """Return ``wish`` if it is free, else the first free /24.

    Args:
        taken: networks in use on the machine, of any size.

    Raises:
        LabError: none is free.
    """
    used = [network for network in taken if network.prefixlen and network.overlaps(RANGE)]
    used.append(_RESERVED)
    candidates = [wish] if wish else []
    for subnet in [*candidates, *RANGE.subnets(new_prefix=24)]:
        if not any(subnet.overlaps(network) for network in used):
            return subnet
    raise LabError(f"Every /24 of {RANGE} is in use on this machine. Run `kraut lab down` for labs you no longer need.")
