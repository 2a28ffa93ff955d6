"""A lab's network: one bridge, one /24, one network namespace per host."""

from kraut_lab.network.faults import NetworkFaults
from kraut_lab.network.network import LabNetwork
from kraut_lab.network.subnet import choose_subnet

__all__ = ["LabNetwork", "NetworkFaults", "choose_subnet"]
