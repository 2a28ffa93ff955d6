"""HTTP to the API server: a deadline on every request, the status always checked, bodies never logged."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kraut_core.errors import (
    ApiServerError,
    ConflictError,
    ForbiddenError,
    InvalidSpecError,
    KrautError,
    NotFoundError,
)
from kraut_core.kube.clock import SharedClock
from kraut_core.kube.config import Access
from kraut_core.patience import patience
from kraut_core.redaction import redact_text
from kraut_core.sockets import make_loops_socket

if TYPE_CHECKING:
    import aiohttp

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
MAX_MESSAGE_CHARACTERS = 512
MAX_ERROR_BYTES = 65_536

CERTIFICATE_UNTRUSTED = "CertificateUntrusted"
"""Reason of an error: the server's certificate comes from an authority that is not trusted, or is for another name."""

Observe = Callable[[str, int], None]
"""Called with the method and the HTTP status (0: no answer) of every request, for metrics."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request; ``deadlines`` bound its parts, ``body`` never shows in a repr."""

    method: str
    path: str
    deadlines: "aiohttp.ClientTimeout"
    headers: Mapping[str, str]
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    server: str | None = None
    """Another API server of the same cluster than the configuration's, ``https://host:port``."""
    begin_seconds: float | None = None
    """Until the answer begins; None leaves it to ``deadlines``. aiohttp's ``sock_read`` would end a connection whose next bytes came
    while this process stood still."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def begins(self) -> AbstractAsyncContextManager[None]:
        """The deadline of its beginning. Raises TimeoutError."""
        return nullcontext() if self.begin_seconds is None else patience(self.begin_seconds)


class Transport:
    """Requests to one API server as one identity."""

    def __init__(
        self,
        access: Access,
        *,
        user_agent: str,
        timeout_seconds: float,
        observe: Observe | None = None,
        one_shot: bool = False,
    ) -> None:
        """``one_shot``: every request has a connection of its own, so that a load balancer chooses anew, and no answer is
        decompressed, so that its size is known before it is in memory."""
        self.access = access
        self.clock = SharedClock()
        self._one_shot = one_shot
        self._user_agent = user_agent
        self._timeout_seconds = timeout_seconds
        self._observe = observe
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Read the configuration; connects lazily. Raises PermanentError when the configuration cannot be used."""
        import aiohttp  # noqa: PLC0415 - importing costs 30 MB, and nothing needs it before

        await self.access.authorization()
        # No trust_env: it would also read ~/.netrc; a proxy is named in the kubeconfig (proxy-url).
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=self._one_shot, socket_factory=make_loops_socket),
            headers={"User-Agent": self._user_agent} | ({"Accept-Encoding": "identity"} if self._one_shot else {}),
            auto_decompress=not self._one_shot,
        )

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
            # aborted TLS connections close their sockets in the loop's next turns
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> bytes:
        """Send one request and return the body of a 2xx answer.

        Raises NotFoundError (404), ConflictError (409), ForbiddenError (other 4xx), ApiServerError (429, 5xx, no answer),
        InvalidSpecError (no host can have the server's name).
        """
        import aiohttp  # noqa: PLC0415

        deadlines = aiohttp.ClientTimeout(total=self._timeout_seconds, sock_connect=min(10.0, self._timeout_seconds))
        headers = {"Accept": accept} | ({} if body is None else {"Content-Type": content_type})
        async with self.stream(Request(method, path, deadlines, headers, params or {}, body)) as response:
            return await response.read()

    async def read(
        self, path: str, *, max_bytes: int, server: str | None = None, method: str = "GET", body: bytes | None = None
    ) -> bytes:
        """GET a document of bounded size, from ``server`` instead of the configuration's if given; or POST JSON for one.

        Raises as ``request``, and ApiServerError when the answer is compressed or larger than ``max_bytes``.
        """
        import aiohttp  # noqa: PLC0415

        deadlines = aiohttp.ClientTimeout(total=self._timeout_seconds)
        headers = {"Accept": "*/*"} | ({} if body is None else {"Content-Type": JSON})
        request = Request(method, path, deadlines, headers, body=body, server=server)
        async with self.stream(request) as response:
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise ApiServerError(f"{request}: an answer that is not compressed was asked for, this one is")
            answer = bytearray()
            async for chunk in response.content.iter_any():
                answer += chunk
                if len(answer) > max_bytes:
                    raise ApiServerError(f"{request}: an answer of {max_bytes} bytes at most is expected, found more")
            return bytes(answer)

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator["aiohttp.ClientResponse"]:
        """As ``request``, but gives the answer to read in pieces; errors while reading it are mapped as well."""
        import aiohttp  # noqa: PLC0415

        try:
            response = await self._send(request)
            if response.status == 401:
                response.release()
                response = await self._send(request, renew=True)
            async with response:
                self._count(request.method, response.status)
                if response.status >= 300:
                    async with request.begins():
                        message = await _message(response)
                    raise refusal(response.status, message, str(request))
                yield response
        except (aiohttp.ClientError, OSError) as error:
            self._count(request.method, 0)
            raise no_answer(str(request), request.server or self.access.server, error) from error

    async def _send(self, request: Request, *, renew: bool = False) -> "aiohttp.ClientResponse":
        if self._session is None:
            raise RuntimeError("the client is closed; use it inside `async with KubeClient.connect(...)`")
        authorization = await self.access.authorization(renew=renew)
        identity = {} if authorization is None else {"Authorization": authorization}
        server = request.server or self.access.server
        sent = self.clock.moment()
        try:
            async with request.begins():
                response = await self._session.request(
                    request.method,
                    server + request.path,
                    params=request.params,
                    headers={**request.headers, **identity},
                    data=request.body,
                    timeout=request.deadlines,
                    ssl=self.access.tls,
                    server_hostname=self.access.server_name,
                    proxy=self.access.proxy,
                    # A redirect would carry the identity to wherever it points.
                    allow_redirects=False,
                )
        except OSError:
            # A certificate that is not trusted is a ValueError as well.
            raise
        except ValueError as error:
            # UnicodeError of a resolver, or aiohttp's InvalidURL: no name or address that could be.
            raise InvalidSpecError(
                f"the server should be a URL whose host is an address or has labels of 1 to 63 characters, it is {server}; correct it ({type(error).__name__})"
            ) from None
        if request.server is None:
            self.clock.hear(response.headers.get("Date"), sent)
        return response

    def _count(self, method: str, status: int) -> None:
        if self._observe is not None:
            self._observe(method, status)


def no_answer(what: str, server: str, error: BaseException) -> ApiServerError:
    """The error for a request without an answer, or with half of one."""
    import ssl  # noqa: PLC0415

    detail = str(error) or type(error).__name__
    untrusted = isinstance(error, ssl.SSLCertVerificationError)
    reason = CERTIFICATE_UNTRUSTED if untrusted else None
    return ApiServerError(f"{what}: no answer from {server}: {detail}", status=0, reason=reason)


def refusal(status: int, message: str, what: str) -> KrautError:
    """The error for an HTTP status that is not 2xx."""
    text = f"{what}: HTTP {status}: {message}"
    if status == 404:
        return NotFoundError(text)
    if status == 409:
        return ConflictError(text)
    # 410 (a continue token or resourceVersion expired) heals by listing again.
    if status in (408, 410, 429) or status >= 500 or status < 400:
        return ApiServerError(text, status=status)
    return ForbiddenError(text, status=status, reason="Forbidden" if status in (401, 403) else "Invalid")


async def _message(response: "aiohttp.ClientResponse") -> str:
    head = b""
    async for chunk in response.content.iter_chunked(MAX_ERROR_BYTES):
        head += chunk
        if len(head) >= MAX_ERROR_BYTES:
            break
    return status_message(head) or response.reason or "no message"


def status_message(body: bytes) -> str:
    """The message of a metav1.Status; for anything else (a proxy's HTML, for example) nothing, since it may hold anything."""
    try:
        decoded: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(decoded, dict) or decoded.get("kind") != "Status":
        return ""
    # What stands before an API server may repeat the request, identity and all.
    return redact_text(str(decoded.get("message", "")))[:MAX_MESSAGE_CHARACTERS]
