"""The public port against clients that are slow or say too much; the port is real, only the patience is shorter."""

import asyncio
import contextlib
import ssl
import time
from contextlib import asynccontextmanager

import pytest
import uvloop
from prometheus_client import CollectorRegistry

from kraut_core.serving import EmbeddedServer, Listener
from kraut_lab.pki import CertificateAuthority
from kraut_oidc_proxy import protocol
from kraut_oidc_proxy.app import App, Resource
from kraut_oidc_proxy.document import Document
from kraut_oidc_proxy.metrics import ProxyMetrics
from kraut_oidc_proxy.testing import Connection

PATIENCE_SECONDS = 3.0
BODY = b"{}"
PLAIN = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])

BEGINNINGS = {
    "nothing": b"",
    "half a request": b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ",
    "a body that is owed": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab",
    "a second request's half": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
}


def make_server(*, timeout_keep_alive=3600, **options):
    """Its connections stay by default: uvicorn's own 5 s would end those of a test that stood still between two requests."""
    counter = ProxyMetrics(CollectorRegistry()).requests
    resource = Resource("https://a", "/", max_age_seconds=300, counter=counter, secure=False)
    resource.serve(Document(BODY, "application/json", '"a"'))
    app = App({b"/": resource}, counter, secure=False)
    return EmbeddedServer(app, http=protocol.BoundedProtocol, timeout_keep_alive=timeout_keep_alive, **options)


@asynccontextmanager
async def listening(server):
    listener = Listener(server, host="127.0.0.1", port=0, purpose="the public port", settings="KRAUT_OIDC")
    await listener.start()
    yield listener.port
    await listener.stop()


@pytest.fixture
async def server():
    return make_server()


@pytest.fixture
async def port(server, monkeypatch):
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", PATIENCE_SECONDS)
    async with listening(server) as found:
        yield found


async def test_whoever_does_not_finish_a_request_is_disconnected(port):
    async def begin(beginning):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(beginning)
        if beginning.endswith(b"\r\n\r\n"):
            await reader.readuntil(b"{}")
            writer.write(b"GET / HT")
        with contextlib.suppress(ConnectionResetError):
            await reader.read()
        writer.close()

    async with asyncio.timeout(150):
        await asyncio.gather(*(begin(beginning) for beginning in BEGINNINGS.values()))


async def test_whoever_drips_is_disconnected_all_the_same(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(OSError):
        async with asyncio.timeout(150):
            writer.write(b"GET / HTTP/1.1\r\nX: ")
            while not writer.is_closing() and not reader.at_eof():
                writer.write(b"a")
                await writer.drain()
                await asyncio.sleep(0.01)
    assert reader.at_eof() or writer.is_closing()
    writer.close()


async def test_a_connection_that_is_used_stays(port):
    async with Connection.open(port) as connection:
        deadline = asyncio.get_running_loop().time() + 1.5 * PATIENCE_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            assert (await connection.get("/")).status == 200
            await asyncio.sleep(0.1)


async def test_a_process_that_stood_still_still_hears_its_clients(port, server):
    async with Connection.open(port) as connection:
        async with asyncio.timeout(150):
            while not server.server_state.connections:
                await asyncio.sleep(0)
        # It stands still: nothing runs, and all deadlines pass.
        time.sleep(1.5 * PATIENCE_SECONDS)
        for _ in range(3):
            await asyncio.sleep(0)
        assert (await connection.get("/")).status == 200


async def test_a_process_that_stood_still_still_hears_a_client_between_requests():
    async with listening(make_server(timeout_keep_alive=1)) as port, Connection.open(port) as connection:
        assert (await connection.get("/")).status == 200
        time.sleep(1.5)
        for _ in range(3):
            await asyncio.sleep(0)
        assert (await connection.get("/")).status == 200


async def test_a_process_that_stood_still_still_writes_to_who_reads_on(monkeypatch):
    # What is heard after a standstill gets the last seconds of the time: many, for where much else runs.
    monkeypatch.setattr(protocol, "UNREAD_SECONDS", 3)
    monkeypatch.setattr(protocol, "LAST_SECONDS", 2.5)
    server = make_server(timeout_keep_alive=3600)
    async with listening(server) as port:
        reader, writer = await ask_on(server, port, lambda connection: connection.flow.write_paused)
        [connection] = server.server_state.connections
        time.sleep(4.5)
        for _ in range(3):
            await asyncio.sleep(0)
        async with asyncio.timeout(150):
            while connection.flow.write_paused:
                assert await reader.read(1 << 16)
        assert server.server_state.connections == {connection}
        writer.transport.abort()


@pytest.mark.parametrize(("size", "status"), [(12_000, 200), (25_000, 400)])
async def test_a_head_is_bounded_whatever_it_is_cut_into(port, size, status):
    async with Connection.open(port) as connection:
        many = b"".join(b"X-%d: a\r\n" % number for number in range(size // 11))
        assert (await connection.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + many + b"\r\n")).status == status


ODD = {
    "HEAD": b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab",
    "another path": b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
    "a query": b"GET /?a HTTP/1.1\r\nHost: a\r\n\r\n",
    "what it has": b'GET / HTTP/1.1\r\nIf-None-Match: "a"\r\n\r\n',
    "a body": b"GET / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab",
    "the end": b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
    "an old version": b"GET / HTTP/1.0\r\n\r\n",
}


async def exchange(port, *pieces):
    """All that comes back until the server closes, or until nothing is owed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    async with asyncio.timeout(150):
        found = await reader.read()
    writer.close()
    return found


END = b"GET /end HTTP/1.1\r\nConnection: close\r\n\r\n"


async def test_the_short_way_and_the_long_one_give_the_same_bytes(port):
    long = await exchange(port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", END)
    short = await exchange(port, PLAIN, END)
    assert short == long
    assert short.startswith(b"HTTP/1.1 200 OK\r\n")
    cut = [PLAIN[at : at + 1] for at in range(len(PLAIN))]
    assert await exchange(port, *cut, END) == short


@pytest.mark.parametrize("odd", ODD.values(), ids=list(ODD))
async def test_answers_come_in_the_order_of_the_requests(port, odd):
    ends = any(word in odd for word in (b"POST", b"close", b"HTTP/1.0"))
    alone = await exchange(port, odd if ends else odd + END)
    plain = (await exchange(port, PLAIN, END)).removesuffix(await exchange(port, END))
    assert plain.endswith(BODY)
    assert await exchange(port, PLAIN + PLAIN + odd + (b"" if ends else END)) == plain + plain + alone
    if not ends:
        assert await exchange(port, odd + PLAIN + END) == alone.removesuffix(await exchange(port, END)) + plain + (
            await exchange(port, END)
        )


async def test_who_asks_and_does_not_read_is_not_read_any_more(server, port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 12)
    count = 60_000
    connection = await accepted(server)
    writer.write(PLAIN * count + END)
    # A dozen seconds of work where nothing else runs.
    async with asyncio.timeout(500):
        while not (connection.flow.write_paused and connection.flow.read_paused):
            await asyncio.sleep(0.01)
        assert connection.transport.get_write_buffer_size() < 1 << 20
        assert (await reader.read(-1)).count(b"HTTP/1.1 200 OK") == count
    writer.close()


async def gone(server):
    async with asyncio.timeout(150):
        while server.server_state.connections:
            await asyncio.sleep(0.01)


async def accepted(server):
    """The server's side of the only connection: a client is connected before its server has looked."""
    async with asyncio.timeout(150):
        while not server.server_state.connections:
            await asyncio.sleep(0)
    [connection] = server.server_state.connections
    return connection


async def ask_on(server, port, enough):
    """A client that asks, whole requests each time, and reads nothing, until the server's side of it is as told."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 12)
    async with asyncio.timeout(150):
        connection = await accepted(server)
        while not enough(connection):
            writer.write(PLAIN * 50)
            await writer.drain()
            await asyncio.sleep(0)
    return reader, writer


async def test_who_reads_nothing_loses_the_connection(monkeypatch):
    monkeypatch.setattr(protocol, "UNREAD_SECONDS", 1.0)
    server = make_server()
    async with listening(server) as port:
        _, writer = await ask_on(server, port, lambda connection: connection.flow.write_paused)
        await gone(server)
        writer.transport.abort()


async def test_who_reads_nothing_of_the_last_answers_does_not_keep_the_connection():
    """Less than makes the server wait: it would close when all is sent, and that is never."""
    server = make_server(timeout_keep_alive=1)
    async with listening(server) as port:
        _, writer = await ask_on(server, port, lambda connection: connection.transport.get_write_buffer_size())
        await gone(server)
        writer.transport.abort()


async def test_above_the_limit_the_answer_is_503(monkeypatch):
    async with listening(make_server(limit_concurrency=3, log_level="error")) as port:
        async with Connection.open(port) as first, Connection.open(port) as second:
            for connection in (first, second):
                assert (await connection.get("/")).status == 200
            async with Connection.open(port) as third:
                found = await third.get("/")
                assert (found.status, found.headers["connection"]) == (503, "close")
                with pytest.raises(ConnectionError):
                    await third.get("/")
            assert (await first.get("/")).status == 200
        async with Connection.open(port) as fourth:
            assert (await fourth.get("/")).status == 200


@pytest.fixture
def tls(tmp_path):
    """The options of a server with a certificate, and the context of a client that trusts it."""
    pair = CertificateAuthority(tmp_path / "pki", "ca").issue("a", "a", hosts=("localhost",))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    options = {"ssl_context_factory": lambda _config, _default: context}
    return options, ssl.create_default_context(cafile=str(tmp_path / "pki" / "ca.crt"))


@LOOPS
def test_who_does_not_finish_the_handshake_is_disconnected(loop, tls):
    """asyncio would wait a minute; such connections are in no limit."""
    options, context = tls

    async def silent(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await reader.read()
        finally:
            writer.transport.abort()

    async def both():
        patient, strict = make_server(**options), make_server(**options, handshake_seconds=1.0)
        async with listening(patient) as patient_port, listening(strict) as port, asyncio.timeout(150):
            waiting, ended = asyncio.create_task(silent(patient_port)), asyncio.create_task(silent(port))
            done, _ = await asyncio.wait({waiting, ended}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            assert done == {ended}
            assert await until_answered(port, context) == 200

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(both())


async def until_answered(port, context):
    """The status of an answer over TLS; where much else runs a handshake may take longer than its second, and is begun anew."""
    while True:
        with contextlib.suppress(OSError):
            async with Connection.open(port, context) as connection:
                return (await connection.get("/")).status


@LOOPS
def test_a_process_that_stood_still_still_hears_a_handshake(loop, tls):
    options, context = tls

    async def hear():
        server = make_server(**options, handshake_seconds=PATIENCE_SECONDS)
        async with listening(server) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            [acceptor] = server.servers
            async with asyncio.timeout(150):
                while not acceptor._beginning:
                    await asyncio.sleep(0)
            time.sleep(1.5 * PATIENCE_SECONDS)
            for _ in range(3):
                await asyncio.sleep(0)
            await writer.start_tls(context, server_hostname="localhost")
            assert (await Connection(reader, writer).get("/")).status == 200
            writer.transport.abort()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(hear())
