"""The route of the keys: requests per second of one core, and what the slowest in a hundred waits."""

import json
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from bench.figure import Aim, Figure
from bench.forwarder import Forwarder
from bench.peers.build import go_program
from bench.peers.debian import PeerMissingError
from bench.priority import preferred
from bench.publishers import Publisher, cores, go, kraut, nginx, on_core
from bench.sample import Sample, Samples, interleave
from bench.stage import Stage
from bench.subject import Subject
from bench.usage import run
from kraut_lab.pki import CertificateAuthority

KRAUT, GO, NGINX = "kraut-oidc-proxy", "Go net/http", "nginx"
ASKED, IDLE = "kraut-oidc-proxy, upstream while asked", "kraut-oidc-proxy, upstream while nobody asks"
CONNECTIONS = 32
PACE, FRESH_PACE = 1000, 100


def measure(stage: Stage) -> Samples:
    """All servers are up all the time; one at a time is asked."""
    with tempfile.TemporaryDirectory(prefix="kraut-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        authority = CertificateAuthority(folder, "ca")
        pair = authority.issue("server", "server", hosts=("127.0.0.1",))
        document = folder / "jwks.json"
        upstream = stack.enter_context(Forwarder.to(stage.plane.ports.apiserver))
        publishers = {KRAUT: stack.enter_context(kraut(stage, upstream, pair, document))}
        publishers[GO] = stack.enter_context(go(pair, document))
        try:
            publishers[NGINX] = stack.enter_context(nginx(folder, pair, document))
        except PeerMissingError as error:
            stage.notes.append(f"without nginx: {error}")
        asker = Asker(document, authority.files.certificate, stage.sizes.size)
        stage.notes.append(_describe(document))
        asked, idle = Windows(), Windows()
        contenders: dict[str, Callable[[int], Sample]] = {
            name: partial(_round, publisher, asker, asked if name == KRAUT else idle)
            for name, publisher in publishers.items()
        }
        found = interleave(contenders, stage.sizes.rounds)
        return {**found, ASKED: [asked.calls(upstream)], IDLE: [idle.calls(upstream)]}


def _describe(document: Path) -> str:
    server, load = cores()
    return (
        f"{document.stat().st_size} bytes; the server has core {server}, the load core {load}; {CONNECTIONS} connections, or {PACE} requests"
        f" per second ({FRESH_PACE} with fresh TLS) where paced, all at real-time priority; rates are answers per second of the server's processor time, so that what else runs on the"
        " core counts for nobody; upstream is counted on the wire, with a poll by each of two processes every 5 s instead of every 30"
    )


class Asker:
    """Runs the load, which checks every byte of every answer."""

    def __init__(self, document: Path, authority: Path, seconds: int) -> None:
        self._argv = [go_program("load"), f"-file={document}", f"-ca={authority}", f"-duration={seconds}s"]

    def ask(self, url: str, process: Subject, *options: str) -> dict[str, float]:
        """One phase: ``per_s`` and ``p99_ms``. Raises ChildProcessError at the first wrong answer."""
        argv = [*self._argv, f"-url={url}", f"-pid={process.process.pid}", f"-connections={CONNECTIONS}", *options]
        found: Any = json.loads(run(on_core(cores()[1], argv)).stdout)
        return {"per_s": found["requests"] / found["cpu_s"], "p99_ms": found["p99_ms"]}


class Windows:
    """The times during which kraut-oidc-proxy was asked, or was not."""

    def __init__(self) -> None:
        self._windows: list[tuple[float, float]] = []

    def add(self, since: float) -> None:
        """A window that ends now."""
        self._windows.append((since, time.monotonic()))

    def calls(self, upstream: Forwarder) -> Sample:
        """Connections to the API server, which are one per call, over all windows: a poll is too rare for each to have its share."""
        seconds = sum(until - since for since, until in self._windows)
        return {"calls_rpm": sum(upstream.count(*window) for window in self._windows) / seconds * 60}


def _round(publisher: Publisher, asker: Asker, windows: Windows, _number: int) -> Sample:
    began = time.monotonic()
    with preferred(publisher.http_process.process.pid):
        http = {
            "keep_alive": asker.ask(publisher.http, publisher.http_process),
            "paced": asker.ask(publisher.http, publisher.http_process, f"-rate={PACE}"),
        }
    with preferred(publisher.https_process.process.pid):
        https = {
            "tls_keep_alive": asker.ask(publisher.https, publisher.https_process),
            "fresh_tls": asker.ask(publisher.https, publisher.https_process, "-fresh"),
            "fresh_tls_paced": asker.ask(publisher.https, publisher.https_process, "-fresh", f"-rate={FRESH_PACE}"),
        }
    windows.add(began)
    found = {
        f"{phase}_{metric}": value
        for phase, result in {**http, **https}.items()
        for metric, value in result.items()
        # What a rate that is given costs says nothing.
        if not (metric == "per_s" and phase.endswith("paced"))
    }
    return {**found, "peak_mib": publisher.peak_mib}


FIGURE = Figure(
    title="The JWKS route, over HTTP and TLS, on connections that stay and on fresh ones",
    size=1,
    size_of="seconds for each of five kinds of load",
    measure=measure,
    aims=(
        Aim(KRAUT, "keep_alive_per_s", 0.6, GO, ">="),
        Aim(KRAUT, "tls_keep_alive_per_s", 0.6, GO, ">="),
        Aim(KRAUT, "keep_alive_p99_ms", 2.0, GO),
        Aim(KRAUT, "tls_keep_alive_p99_ms", 2.0, GO),
        Aim(KRAUT, "fresh_tls_p99_ms", 2.0, GO),
        Aim(KRAUT, "paced_p99_ms", 2.0, GO),
        Aim(KRAUT, "fresh_tls_paced_p99_ms", 2.0, GO),
        Aim(KRAUT, "peak_mib", 80.0),
        Aim(ASKED, "calls_rpm", 1.2, IDLE),
    ),
)
