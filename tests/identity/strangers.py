"""What may answer where an API server is expected: an address that leads now here and now there, and servers that are none."""

import asyncio
import contextlib

from aiohttp import web


class Address:
    """A port on loopback; ``leads_to`` is the port on which somebody answers to new connections."""

    def __init__(self, leads_to):
        self.leads_to = leads_to
        self._server = None

    @staticmethod
    @contextlib.asynccontextmanager
    async def open(leads_to):
        address = Address(leads_to)
        address._server = await asyncio.start_server(address._connected, "127.0.0.1", 0)
        try:
            yield address
        finally:
            address._server.close()
            await address._server.wait_closed()

    @property
    def url(self):
        return f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _connected(self, reader, writer):
        with contextlib.suppress(OSError):
            upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self.leads_to)
            await asyncio.gather(pump(reader, upstream_writer), pump(upstream_reader, writer))


async def pump(reader, writer):
    try:
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
    finally:
        writer.close()


def answers(body, status=200):
    """The same to every request."""

    async def handle(_request):
        return web.Response(body=body, status=status, content_type="application/json")

    return handle


async def says_nothing(_request):
    await asyncio.Event().wait()


def goes_on_and_on(chunk, pause):
    """An answer without end, a piece at a time."""

    async def handle(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(chunk)
            await asyncio.sleep(pause)

    return handle


@contextlib.asynccontextmanager
async def serving(handle, tls=None):
    """Serve with this handler for every path; gives the port."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    # Who waits for ever is cancelled when nobody listens any more.
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
