"""Probes over real sockets."""

import asyncio
import signal
import urllib.error
import urllib.request

import pytest
from prometheus_client import Counter

from kraut_core.metrics import new_registry
from kraut_core.probes import Probes
from kraut_core.serving import ListenError
from kraut_core.settings import ProbeSettings

ANY_PORT = ProbeSettings(host="127.0.0.1", port=0)


async def get(probes, path):
    def fetch():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{probes.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return await asyncio.to_thread(fetch)


async def test_without_checks_the_process_is_live_and_ready():
    async with Probes(ANY_PORT, new_registry(component="test", version="0")) as probes:
        assert await get(probes, "/livez") == (200, "ok\n")
        assert await get(probes, "/readyz") == (200, "ok\n")
        assert (await get(probes, "/elsewhere"))[0] == 404


async def test_readiness_follows_its_checks_and_names_what_fails():
    state = {"cache": "the list of hosts has not been read yet"}
    probes = Probes(ANY_PORT, new_registry(component="test", version="0"))
    probes.add_readiness("cache", lambda: state["cache"])
    probes.add_readiness("temporal", lambda: None)
    async with probes:
        assert await get(probes, "/readyz") == (
            503,
            "[-]cache failed: the list of hosts has not been read yet\n[+]temporal ok\nnot ok\n",
        )
        assert (await get(probes, "/livez"))[0] == 200
        state["cache"] = None
        assert (await get(probes, "/readyz"))[0] == 200


async def test_a_broken_check_fails_and_the_server_stays():
    probes = Probes(ANY_PORT, new_registry(component="test", version="0"))
    probes.add_readiness("loop", lambda: 1 / 0)
    async with probes:
        status, body = await get(probes, "/readyz")
        assert status == 503
        assert "ZeroDivisionError" in body
        assert (await get(probes, "/livez"))[0] == 200


def test_a_name_is_used_once():
    probes = Probes(ANY_PORT, new_registry(component="test", version="0"))
    probes.add_readiness("cache", lambda: None)
    with pytest.raises(ValueError, match="cache"):
        probes.add_readiness("cache", lambda: None)


async def test_metrics_are_those_of_the_registry():
    registry = new_registry(component="test", version="0")
    Counter("kraut_dispatches", "Signals sent.", registry=registry).inc(3)
    async with Probes(ANY_PORT, registry) as probes:
        status, body = await get(probes, "/metrics")
        assert status == 200
        assert "kraut_dispatches_total 3.0" in body


async def test_a_taken_port_is_a_sentence_and_not_an_exit():
    registry = new_registry(component="test", version="0")
    async with Probes(ANY_PORT, registry) as probes:
        with pytest.raises(ListenError, match="KRAUT_PROBE_PORT"):
            await Probes(ProbeSettings(host="127.0.0.1", port=probes.port), registry).start()


async def test_signals_stay_with_the_process_and_the_port_is_given_back():
    before = signal.getsignal(signal.SIGTERM)
    probes = Probes(ANY_PORT, new_registry(component="test", version="0"))
    async with probes:
        assert signal.getsignal(signal.SIGTERM) is before
        port = probes.port
    async with Probes(ProbeSettings(host="127.0.0.1", port=port), new_registry(component="test", version="0")) as again:
        assert again.port == port
    await probes.stop()
