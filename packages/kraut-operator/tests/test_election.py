"""The election by itself, in front of a server that keeps one Lease as an API server does, and may be slow to say so."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kraut_operator import election as module
from kraut_operator.election import Election, ElectionOptions

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kraut-system/leases"


class LeaseServer:
    """Keeps the Lease. ``silent``: the next write is done and not answered; ``refusing``: nothing is read or written."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.silent = False
        self.refusing = False
        self.reads = 0
        self.writes = 0
        self._over = asyncio.Event()

    @property
    def holder(self) -> str:
        return str(self.lease["spec"]["holderIdentity"]) if self.lease is not None else ""

    def close(self) -> None:
        self._over.set()

    async def read(self, _request: web.Request) -> web.Response:
        self.reads += 1
        if self.refusing:
            return web.json_response({"kind": "Status", "message": "overloaded"}, status=503)
        if self.lease is None:
            return web.json_response({"kind": "Status"}, status=404)
        return web.json_response(self.lease)

    async def write(self, request: web.Request) -> web.Response:
        sent = await request.json()
        version = self.lease["metadata"]["resourceVersion"] if self.lease is not None else None
        if sent["metadata"].get("resourceVersion") != version:
            return web.json_response({"kind": "Status"}, status=409)
        self.writes += 1
        self.lease = {**sent, "metadata": {**sent["metadata"], "resourceVersion": str(self.writes)}}
        if self.silent:
            self.silent = False
            await self._over.wait()
        return web.json_response(self.lease)


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[LeaseServer, str]]:
    server = LeaseServer()
    app = web.Application()
    app.router.add_get(LEASES + "/l", server.read)
    app.router.add_post(LEASES, server.write)
    app.router.add_put(LEASES + "/l", server.write)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield server, write_kubeconfig(folder, runner.addresses[0][1])
    finally:
        server.close()
        await runner.cleanup()


def write_kubeconfig(folder: Path, port: int) -> str:
    kubeconfig = folder / "kubeconfig"
    named = {"clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}]}
    named |= {"contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}]}
    kubeconfig.write_text(json.dumps({**named, "users": [{"name": "u", "user": {}}], "current-context": "x"}))
    return str(kubeconfig)


def make(kubeconfig: str, lost: list[str] | None = None, **more: Any) -> Election:
    times = {"lease_seconds": 60, "renew_seconds": 40.0, "retry_seconds": 0.05, "attempt_seconds": 30.0}
    options = ElectionOptions("kraut-system", "l", "me", **{**times, **more})
    return Election(options, kubeconfig=kubeconfig, context=None, on_lost=(lost if lost is not None else []).append)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(150):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.fixture
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """To end is given all the time that a slow machine needs; that it is short is another test's concern."""
    assert module.RELEASE_SECONDS < module.STOP_SECONDS
    monkeypatch.setattr(module, "RELEASE_SECONDS", 100.0)
    monkeypatch.setattr(module, "STOP_SECONDS", 150.0)


@pytest.mark.usefixtures("no_hurry")
async def test_a_leader_that_is_stopped_gives_the_lease_back(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, kubeconfig):
        lost: list[str] = []
        election = make(kubeconfig, lost)
        election.start()
        await until(lambda: election.leads)
        await asyncio.to_thread(election.stop)
        assert (server.holder, election.leads, lost) == ("", False, [])


async def test_one_that_is_stopped_before_it_began_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM may come before the thread has its loop; told nothing, it would take the Lease and die holding it."""
    async with serving(tmp_path) as (server, kubeconfig):
        election = make(kubeconfig)
        told, run, join = threading.Event(), asyncio.run, threading.Thread.join

        def begin_late(main: Any) -> Any:
            told.wait(60)
            return run(main)

        def join_after_telling(thread: threading.Thread, timeout: float | None = None) -> None:
            told.set()
            join(thread, timeout)

        with monkeypatch.context() as patched:
            patched.setattr(asyncio, "run", begin_late)
            election.start()
            patched.setattr(threading.Thread, "join", join_after_telling)
            await asyncio.to_thread(election.stop)
        assert not election._thread.is_alive()
        assert (server.holder, server.writes) == ("", 0)


async def test_one_that_was_never_started_is_stopped_in_peace(tmp_path: Path) -> None:
    make(write_kubeconfig(tmp_path, 1)).stop()


@pytest.mark.usefixtures("no_hurry")
async def test_stopping_does_not_wait_for_an_attempt_and_gives_back_what_that_took_unseen(tmp_path: Path) -> None:
    """The write arrived, its answer does not: nobody knows that the Lease is held, and it is given back all the same."""
    async with serving(tmp_path) as (server, kubeconfig):
        server.silent = True
        election = make(kubeconfig)
        election.start()
        await until(lambda: server.holder == "me")
        assert not election.leads
        await asyncio.to_thread(election.stop)
        assert not election._thread.is_alive()
        assert server.holder == ""


@pytest.mark.usefixtures("no_hurry")
async def test_a_renewal_in_flight_is_no_reason_to_keep_the_lease(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, kubeconfig):
        election = make(kubeconfig)
        election.start()
        await until(lambda: election.leads)
        server.silent = True
        await until(lambda: not server.silent)
        await asyncio.to_thread(election.stop)
        assert not election._thread.is_alive()
        assert server.holder == ""


async def test_a_standby_that_is_stopped_leaves_the_lease_to_its_holder(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, kubeconfig):
        spec = {"holderIdentity": "other", "leaseDurationSeconds": 600}
        server.lease = {"metadata": {"name": "l", "resourceVersion": "0"}, "spec": spec}
        election = make(kubeconfig)
        election.start()
        await until(lambda: server.reads > 1)
        await asyncio.to_thread(election.stop)
        assert (server.holder, server.writes) == ("other", 0)


async def test_a_server_that_says_nothing_does_not_keep_the_process_from_ending(tmp_path: Path) -> None:
    """Neither the attempt nor the giving back gets an answer."""
    connected = asyncio.Event()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    election = make(write_kubeconfig(tmp_path, server.sockets[0].getsockname()[1]))
    election.start()
    async with asyncio.timeout(30):
        await connected.wait()
    await asyncio.to_thread(election.stop)
    assert not election._thread.is_alive()
    server.close()
    await server.wait_closed()


async def test_a_leader_gives_up_when_its_time_to_renew_is_over_and_not_a_pause_later(tmp_path: Path) -> None:
    """The pause is no longer than what is left; ten minutes of it would end long after the Lease."""
    async with serving(tmp_path) as (server, kubeconfig):
        lost: list[str] = []
        election = make(kubeconfig, lost, renew_seconds=8.0, retry_seconds=600.0, attempt_seconds=4.0)
        election.start()
        await until(lambda: election.leads)
        server.refusing = True
        await until(lambda: lost != [])
        [reason] = lost
        assert reason.startswith("not renewed for ")
        assert not election.leads
        await asyncio.to_thread(election.stop)
