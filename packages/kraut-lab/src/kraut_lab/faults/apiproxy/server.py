"""The proxy: plain HTTP on loopback in front of a lab's API server, with whatever identity its clients bring."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from kraut_core.kube.testing import point_kubeconfig
from kraut_lab.controlplane import ControlPlane
from kraut_lab.faults.apiproxy.lies import Cut, Lies, ends_initial_events

_PASSED_HEADERS = ("Authorization", "Content-Type", "Accept", "User-Agent")
_EXPIRED = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410}
_JSON = (("Content-Type", "application/json"),)
_LINGER_NOT = struct.pack("ii", 1, 0)
_GONE = (OSError, ValueError, http.client.HTTPException)


class LyingApiServer:
    """Tells the truth until one of ``lies`` says otherwise. ``url`` is where it listens."""

    def __init__(self, plane: ControlPlane) -> None:
        self.lies = Lies()
        self._plane = plane
        self._tls = ssl.create_default_context(cafile=str(plane.ca))
        self._watches: dict[socket.socket, str] = {}
        self._lock = threading.Lock()
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @staticmethod
    @contextmanager
    def in_front_of(plane: ControlPlane) -> Iterator[LyingApiServer]:
        """Run a proxy for as long as the context lasts; then its connections end."""
        proxy = LyingApiServer(plane)
        thread = threading.Thread(target=proxy._server.serve_forever, name="lying-api-server", daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy._server.shutdown()
            proxy._server.server_close()
            proxy.cut_watches()
            thread.join(30)

    def kubeconfig(self, identity: str, folder: Path) -> Path:
        """A kubeconfig of a component of the lab that leads here, written to a folder."""
        return point_kubeconfig(self._plane.kubeconfig(identity), self.url, folder / f"{identity}.lied-to.kubeconfig")

    def cut_watches(self, path: str | None = None) -> None:
        """End the connections to the API server of all watches, or those of one collection; clients see a clean end."""
        with self._lock:
            for connection in [each for each, of in self._watches.items() if path in (None, of)]:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def remember(self, path: str) -> None:
        """Take what a GET of an object answers now for what it was the last time: a lie may be made of it."""
        self.lies.remember_answer(path, json.dumps(self._plane.admin.get(path)).encode())

    def ask(self, method: str, target: str, headers: dict[str, str], body: bytes | None) -> Any:
        """Send a request to the API server; returns connection and answer."""
        connection = http.client.HTTPSConnection("127.0.0.1", self._plane.ports.apiserver, context=self._tls)
        try:
            connection.request(method, target, body=body, headers=headers)
            return connection, connection.getresponse()
        except BaseException:
            connection.close()
            raise

    @contextmanager
    def watched(self, path: str, connection: http.client.HTTPSConnection) -> Iterator[None]:
        """Know the connection of a watch while it lasts, so that it can be cut."""
        # A second descriptor of the same connection: to shut it down while another thread reads from it.
        handle = socket.socket(fileno=os.dup(connection.sock.fileno()))
        with self._lock:
            self._watches[handle] = path
        try:
            yield
        finally:
            with self._lock:
                del self._watches[handle]
            handle.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: ClassVar[LyingApiServer]

    def handle(self) -> None:
        with contextlib.suppress(*_GONE):
            super().handle()

    def log_message(self, *_: Any) -> None:
        """Say nothing: the tests' own output is what is read."""

    def _serve(self) -> None:
        target = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(target.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        refusal = self.owner.lies.refusal(target.path)
        if refusal is not None:
            self._answer(refusal.status, refusal.body, refusal.headers)
            return
        watching = self.command == "GET" and query.get("watch") in ("true", "1")
        if watching and self.owner.lies.lists_from_the_past(target.path):
            self._tell_the_past(target.path, initial="sendInitialEvents" in query)
            return
        past = None if watching or self.command != "GET" else self.owner.lies.past_answer(target.path)
        if past is not None:
            self._answer(200, past)
            return
        headers = {name: value for name in _PASSED_HEADERS if (value := self.headers.get(name))}
        try:
            connection, answer = self.owner.ask(
                self.command, self.path, headers | {"Accept-Encoding": "identity"}, body
            )
        except _GONE:
            self._reset()
            return
        with contextlib.closing(connection):
            if watching and answer.status == 200:
                with self.owner.watched(target.path, connection):
                    self._stream(target.path, answer, initial="sendInitialEvents" in query)
                return
            content = answer.read()
            if self.command == "GET" and answer.status == 200:
                self.owner.lies.remember_answer(target.path, content)
            self._answer(answer.status, content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - names of BaseHTTPRequestHandler

    def _stream(self, path: str, answer: http.client.HTTPResponse, *, initial: bool) -> None:
        state: list[bytes] = []
        self._begin_stream()
        while line := self._line_of(answer):
            if initial:
                state.append(line)
                initial = not ends_initial_events(line)
                if not initial:
                    self.owner.lies.remember_state(path, state)
            for part in self.owner.lies.instead_of(path, line):
                if isinstance(part, Cut):
                    self._send_chunk(part.head)
                    self._reset()
                    return
                self._send_chunk(part)
        self._send_chunk(b"")

    def _line_of(self, answer: http.client.HTTPResponse) -> bytes:
        try:
            return answer.readline()
        except _GONE:
            return b""

    def _tell_the_past(self, path: str, *, initial: bool) -> None:
        if not initial:
            self._answer(410, json.dumps(_EXPIRED | {"message": "too old resource version"}).encode())
            return
        past = self.owner.lies.past_state(path)
        self._begin_stream()
        if past is not None:
            lines, over = past
            self._send_chunk(b"".join(lines))
            over.wait()
        self._send_chunk(b"")

    def _begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()

    def _send_chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _answer(self, status: int, body: bytes, headers: Iterable[tuple[str, str]] = _JSON) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self.close_connection = True
