"""Serves a folder over HTTP, and passes some paths through to another archive. Only the standard library: it runs as
a script of its own, one small process per lab.

    python server.py ADDRESS PORT FOLDER [SEGMENT=URL ...]

GET /SEGMENT/x answers with URL/x, so that hosts without any route to the outside can still use Debian's archive.
"""

from __future__ import annotations

import shutil
import sys
import urllib.error
import urllib.request
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

_TIMEOUT_SECONDS = 60
_FORWARDED = ("Content-Type", "Content-Length", "Last-Modified")


class Handler(SimpleHTTPRequestHandler):
    """GET and HEAD on files below the folder, and on what is passed through."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: object, proxies: dict[str, str], directory: str) -> None:
        self._proxies = proxies
        super().__init__(*arguments, directory=directory)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer a file, or what the other archive answers."""
        segment, _, rest = self.path.lstrip("/").partition("/")
        if segment in self._proxies:
            self._pass_through(f"{self._proxies[segment]}/{rest}")
        else:
            super().do_GET()

    def _pass_through(self, url: str) -> None:
        headers = {name: self.headers[name] for name in ("If-Modified-Since",) if name in self.headers}
        try:
            request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the settings check the scheme
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
                self.send_response(answer.status)
                for name in _FORWARDED:
                    if name in answer.headers:
                        self.send_header(name, answer.headers[name])
                if "Content-Length" not in answer.headers:
                    self.send_header("Connection", "close")
                self.end_headers()
                shutil.copyfileobj(answer, self.wfile)
        except urllib.error.HTTPError as error:
            self._end(error.code)
        except OSError:
            self._end(HTTPStatus.BAD_GATEWAY)

    def _end(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Server(ThreadingHTTPServer):
    """Takes what hosts ask for at the same moment: a connection that finds the queue full waits for TCP to try again, for many seconds."""

    request_queue_size = 1024


def main(arguments: list[str]) -> None:
    """Serve until killed."""
    address, port, folder, *pairs = arguments
    proxies = dict(pair.split("=", 1) for pair in pairs)
    handler = partial(Handler, proxies=proxies, directory=folder)
    with Server((address, int(port)), handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
