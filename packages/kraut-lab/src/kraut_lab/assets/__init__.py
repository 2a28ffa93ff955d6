"""The binaries of the control plane: found, mirrored or built, and cached by version."""

from kraut_lab.assets.binaries import Binaries
from kraut_lab.assets.modules import Program, etcd_program, kubernetes_program

__all__ = ["Binaries", "Program", "etcd_program", "kubernetes_program"]
