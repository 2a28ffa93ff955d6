"""etcd, kube-apiserver and kube-controller-manager as processes: a real cluster without nodes."""

from kraut_lab.controlplane.controlplane import ControlPlane

__all__ = ["ControlPlane"]
