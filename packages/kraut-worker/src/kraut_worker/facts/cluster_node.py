"""Whether the host is a node of a Kubernetes cluster: such a host is never changed by itself."""

from kraut_worker.facts.fact import Answer, Fact
from kraut_worker.facts.model import ClusterNode

COMMAND = """
first_words() { while read -r word _; do echo "$word"; done; }
systemctl list-unit-files --no-legend --plain --type=service --state=enabled,enabled-runtime \
  'kubelet.service' 'k3s*.service' 'rke2*.service' 'k0s*.service' 2>/dev/null | first_words
systemctl list-units --no-legend --plain --type=service --state=active,activating,reloading \
  'kubelet.service' 'k3s*.service' 'rke2*.service' 'k0s*.service' 2>/dev/null | first_words
for comm in /proc/[0-9]*/comm; do
  name=
  read -r name <"$comm"
  case $name in kubelet|kubelite|k3s|k3s-server|k3s-agent|rke2|k0s) echo "process $name" ;; esac
done 2>/dev/null
:
"""


def parse(answer: Answer) -> ClusterNode:
    """Enabled units count as well: a kubelet that crashes or is stopped for an hour still makes the host a node."""
    return ClusterNode(evidence=tuple(dict.fromkeys(answer.lines)))


CLUSTER_NODE = Fact("cluster_node", COMMAND, parse)
