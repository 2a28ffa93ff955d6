"""Other clusters' API servers."""

from kraut_worker.adapters.kube.access import Accesses
from kraut_worker.adapters.kube.prober import HttpsClusterProber

__all__ = ["Accesses", "HttpsClusterProber"]
