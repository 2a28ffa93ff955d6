"""The public port as an ASGI application: two routes per issuer, answered from memory, and nothing else.

Routes are compared with the path as it came (``raw_path``), so that ``%2e``, ``//`` and the like are never anything but
404. Neither Host nor any other header but If-None-Match has a part in the answer.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final

from prometheus_client import Counter

from kraut_oidc_proxy.document import Document

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
Answer = tuple[dict[str, Any], dict[str, Any]]

ALLOWED: Final = frozenset({"GET", "HEAD"})
COMMON: Final[Headers] = [(b"access-control-allow-origin", b"*"), (b"x-content-type-options", b"nosniff")]
UNAVAILABLE_SECONDS: Final = 30
HSTS: Final = (b"strict-transport-security", b"max-age=31536000")


class Resource:
    """One route: set ``document`` and it is served from then on; None is 503."""

    def __init__(self, issuer: str, route: str, *, max_age_seconds: int, counter: Counter, secure: bool) -> None:
        self._max_age = max_age_seconds
        self._counter = counter
        self._labels = (issuer, route)
        self._extra = [*COMMON, HSTS] if secure else COMMON
        self._etag = b""
        self._served = counter.labels(issuer, route, 200)
        self._good: Answer | None = None
        self._whole: bytes | None = None
        self._unchanged: Answer | None = None
        self._unavailable = _error(
            503, "the keys are not known at the moment", [*self._extra, (b"retry-after", b"%d" % UNAVAILABLE_SECONDS)]
        )
        self._forbidden = _error(405, "GET and HEAD are served", [*self._extra, (b"allow", b"GET, HEAD")])

    def serve(self, document: Document | None) -> None:
        """Answer with ``document`` from now on, or with 503."""
        self._good = self._unchanged = self._whole = None
        if document is None:
            return
        self._etag = document.etag.encode()
        shared = [
            *self._extra,
            (b"cache-control", b"public, max-age=%d" % self._max_age),
            (b"etag", self._etag),
        ]
        length = (b"content-length", b"%d" % len(document.body))
        self._unchanged = _answer(304, shared, b"")
        headers = [*shared, (b"content-type", document.media_type.encode()), length]
        self._good = _answer(200, headers, document.body)
        lines = b"".join(b"%s: %s\r\n" % header for header in headers)
        self._whole = b"HTTP/1.1 200 OK\r\n%s\r\n%s" % (lines, document.body)

    def ready(self) -> bytes | None:
        """The whole answer to a plain GET of HTTP/1.1, counted; None when there is no document."""
        if self._whole is not None:
            self._served.inc()
        return self._whole

    def answer(self, scope: Scope) -> Answer:
        """What to send for a request on this route."""
        found = self._choose(scope)
        self._counter.labels(*self._labels, found[0]["status"]).inc()
        return found

    def _choose(self, scope: Scope) -> Answer:
        if scope["method"] not in ALLOWED:
            return self._forbidden
        if self._good is None or self._unchanged is None:
            return self._unavailable
        return self._unchanged if _matches(self._etag, scope["headers"]) else self._good


def _matches(etag: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """RFC 9110 section 13.1.2: weak comparison with every tag of every If-None-Match."""
    for name, value in headers:
        if name == b"if-none-match":
            tags = {tag.strip().removeprefix(b"W/") for tag in value.split(b",")}
            if etag in tags or value.strip() == b"*":
                return True
    return False


class App:
    """ASGI 3: ``routes`` maps raw paths to resources."""

    def __init__(self, routes: Mapping[bytes, Resource], counter: Counter, *, secure: bool) -> None:
        self._routes = routes
        self._missed = counter.labels("", "", 404)
        self._absent = _error(404, "there is nothing here", [*COMMON, HSTS] if secure else COMMON)

    def ready(self, target: bytes) -> bytes | None:
        """What ``Resource.ready`` of the route has; None for a target that is none, or is written in another way."""
        resource = self._routes.get(target)
        return None if resource is None else resource.ready()

    async def __call__(self, scope: Scope, _receive: Any, send: Send) -> None:
        """Answer one request; its body is never read."""
        resource = self._routes.get(scope["raw_path"])
        if resource is None:
            self._missed.inc()
            start, body = self._absent
        else:
            start, body = resource.answer(scope)
        await send(start)
        await send(body)


def _error(code: int, message: str, headers: Headers) -> Answer:
    body = json.dumps({"code": code, "message": message}).encode()
    described = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        # What else such a client sends is not waited for.
        *([(b"connection", b"close")] if code == 405 else []),
    ]
    return _answer(code, [*headers, *described], body)


def _answer(status: int, headers: Headers, body: bytes) -> Answer:
    start = {"type": "http.response.start", "status": status, "headers": headers}
    return start, {"type": "http.response.body", "body": body}
