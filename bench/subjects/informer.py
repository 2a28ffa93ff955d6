"""``python -m bench.subjects.informer KUBECONFIG NAMESPACE``: the operator's informer of Hosts, filled once.

Everything between the socket and the work queue is the operator's own: stream, projection, cache, decision.
"""

import asyncio
import json
import sys
from contextlib import aclosing

from prometheus_client import CollectorRegistry

from bench.sample import Sample
from bench.usage import Clock
from kraut_core.api.kinds import all_kinds
from kraut_core.kube.client import KubeClient
from kraut_operator.cache import Cache
from kraut_operator.controller import Controller
from kraut_operator.informers import make_informers
from kraut_operator.metrics import OperatorMetrics


async def fill(kubeconfig: str, namespace: str) -> Sample:
    """Read all Hosts; returns what it took, how many there are and how many wait in the queue."""
    kinds = all_kinds()
    cache, metrics = Cache(kinds), OperatorMetrics(CollectorRegistry())
    controller = Controller(kinds, cache, metrics)
    async with KubeClient.connect(kubeconfig) as kube:
        informers = make_informers(kube, kinds, namespaces=[namespace], metrics=metrics)
        stream = next(informer.stream for informer in informers if informer.kind == "Host")
        cache.attach("Host", stream)
        clock = Clock()
        async with aclosing(stream.changes()) as batches:
            async for batch in batches:
                await controller.take(batch, "Host")
                if stream.synced:
                    break
        used = clock.stop()
        return {**used, "objects": len(stream.objects), "queued": len(controller.queue)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(fill(sys.argv[1], sys.argv[2]))) + "\n")
