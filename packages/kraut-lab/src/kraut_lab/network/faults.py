"""Network faults of one host, as nftables rules in its own namespace: they outlive its reboots and vanish with it."""

from __future__ import annotations

from typing import Literal

from kraut_lab.errors import LabError
from kraut_lab.programs import run

_TABLE = "inet kraut_fault"

_VERDICTS = {
    "drop": "drop",
    # Only TCP can be answered with a reset; everything else is dropped. The resets themselves go out by the same hook.
    "reject": "tcp flags & rst == rst accept; meta l4proto tcp reject with tcp reset; meta nfproto ipv4 drop",
}


class NetworkFaults:
    """Cuts and heals the network of the host in one namespace; at most one fault at a time."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def partition(self, how: Literal["drop", "reject"] = "drop") -> None:
        """Cut the host off: packets vanish (``drop``), or TCP connections are reset (``reject``)."""
        self._apply(_VERDICTS[how])

    def lose(self, percent: int) -> None:
        """Lose this share of all packets, at random."""
        if not 0 < percent < 100:
            raise LabError(f"A share of lost packets is between 1 and 99 percent, found {percent}; 100 is partition().")
        self._apply(f"numgen random mod 100 < {percent} drop")

    def heal(self) -> None:
        """Remove the fault, if there is one."""
        self._nft(f"table {_TABLE}\ndelete table {_TABLE}\n")

    def _apply(self, rules: str) -> None:
        lines = "\n".join(f"    {rule.strip()}" for rule in rules.split(";"))
        chains = "\n".join(
            f"  chain {hook} {{\n    type filter hook {hook} priority -300; policy accept;\n"
            f'    meta iifname "lo" accept\n    meta oifname "lo" accept\n{lines}\n  }}'
            for hook in ("input", "output")
        )
        # One transaction: the former fault is replaced without a gap.
        self._nft(f"table {_TABLE}\ndelete table {_TABLE}\ntable {_TABLE} {{\n{chains}\n}}\n")

    def _nft(self, ruleset: str) -> None:
        run(["ip", "netns", "exec", self._namespace, "nft", "-f", "-"], stdin=ruleset)
