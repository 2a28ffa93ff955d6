"""Questions to Temporal's UI server, put to one that answers as told."""

import json
import threading
import urllib.error
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kraut_lab.temporal import TemporalServer

Serve = Callable[..., TemporalServer]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Answers with each status in turn, and with the last one from then on."""
    servers = []

    def start(*statuses: int) -> TemporalServer:
        left = list(statuses)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(left.pop(0) if len(left) > 1 else left[0])
                self.end_headers()
                self.wfile.write(json.dumps({"asked": self.path}).encode())

            def log_message(self, *_: object) -> None:
                """Nothing on the tests' output."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        monkeypatch.setattr(TemporalServer, "ui", f"http://127.0.0.1:{server.server_address[1]}")
        return TemporalServer(tmp_path)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_server_that_is_too_busy_is_asked_again(serve: Serve) -> None:
    assert serve(503, 429, 504, 200).ask("/api/v1/x") == {"asked": "/api/v1/x"}


def test_another_refusal_is_passed_on(serve: Serve) -> None:
    with pytest.raises(urllib.error.HTTPError, match="500"):
        serve(500).ask("/api/v1/x")


def test_a_workflow_that_is_not_there_is_empty(serve: Serve) -> None:
    assert serve(404).describe_workflow("kraut/Host/a/b") == {}


def test_a_workflow_is_asked_for_by_its_whole_name(serve: Serve) -> None:
    found = serve(503, 200).describe_workflow("kraut/Host/a/b")
    assert found == {"asked": "/api/v1/namespaces/default/workflows/kraut%2FHost%2Fa%2Fb"}
