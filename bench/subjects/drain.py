"""``python -m bench.subjects.drain KUBECONFIG NAMESPACE``: reads the WatchList of all Hosts and does nothing with it.

A blocking socket and Python's ssl: the limit of any client in Python that does not look at what it reads.
"""

import asyncio
import json
import socket
import sys
from urllib.parse import urlsplit

from bench.sample import Sample
from bench.usage import Clock
from kraut_core.kube.client import KubeClient
from kraut_core.kube.config import Access

END = b"k8s.io/initial-events-end"
QUERY = "watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"


def drain(access: Access, authorization: str | None, namespace: str) -> Sample:
    """Read until the bookmark after the last initial event."""
    url = urlsplit(access.server)
    host, port = url.hostname or "", url.port or 443
    identity = f"Authorization: {authorization}\r\n" if authorization else ""
    request = f"GET /apis/kraut.dev/v1alpha1/namespaces/{namespace}/hosts?{QUERY} HTTP/1.1\r\nHost: {host}:{port}\r\n{identity}\r\n"
    clock = Clock()
    size, tail = 0, b""
    with (
        socket.create_connection((host, port)) as plain,
        access.tls.wrap_socket(plain, server_hostname=access.server_name or host) as connection,
    ):
        connection.sendall(request.encode())
        while not (END in tail and tail.endswith(b"\n\r\n")):
            piece = connection.recv(128 << 10)
            if not piece:
                raise ConnectionError(f"the watch ended before all existing objects were sent: {tail[:500]!r}")
            size += len(piece)
            tail = tail[-4096:] + piece
    return {**clock.stop(), "bytes": size}


async def main(kubeconfig: str, namespace: str) -> Sample:
    """Read the kubeconfig as kraut does, then drain."""
    async with KubeClient.connect(kubeconfig) as kube:
        access = kube.transport.access
        authorization = await access.authorization()
    return drain(access, authorization, namespace)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(sys.argv[1], sys.argv[2]))) + "\n")
