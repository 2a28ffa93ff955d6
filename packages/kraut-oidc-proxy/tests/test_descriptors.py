"""An API server, or a load balancer before it, that resets connections must not cost other connections their descriptors."""

import asyncio
import gc
import socket
import struct
import threading
import warnings
from contextlib import contextmanager
from types import SimpleNamespace

import uvloop

from kraut_core.errors import ApiServerError
from kraut_core.kube.config import find_access
from kraut_core.kube.transport import Transport

TRIES = 400
"""Without the socket of its own, one in ten had an owner too many."""


@contextmanager
def resetting():
    """A port whose connections are reset as soon as they are made."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            while True:
                try:
                    accepted, _ = listening.accept()
                except OSError:
                    return
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                accepted.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


async def ask_in_vain(access):
    transport = Transport(access, user_agent="test", timeout_seconds=60)
    await transport.open()
    failures = 0
    for _ in range(TRIES):
        try:
            await transport.read("/openid/v1/jwks", max_bytes=1000)
        except ApiServerError:
            failures += 1
    await transport.close()
    return failures


def test_a_connection_that_is_reset_leaves_no_second_owner_of_its_descriptor(kubeconfig_for):
    with resetting() as port, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ResourceWarning)
        access = find_access(kubeconfig_for(SimpleNamespace(url=f"https://127.0.0.1:{port}")), None)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            assert runner.run(ask_in_vain(access)) == TRIES
        gc.collect()
    assert [str(warning.message) for warning in said] == []
