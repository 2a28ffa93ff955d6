"""HTTPS to issuers and providers, so that nobody can steer it anywhere else: names, addresses, redirects and sizes are checked."""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import aiohttp

from kraut_core.errors import UnreachableError
from kraut_core.identity.errors import CredentialError, UntrustedUrlError
from kraut_core.identity.urls import MAX_REDIRECTS, Network, check_address, check_url, next_url

MAX_BYTES: Final = 512 * 1024
TIMEOUT_SECONDS: Final = 10.0
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class ResponseError(UnreachableError):
    """An answer that is none: another status than 200 where only that will do, too large, compressed."""

    default_reason = "ResponseUnusable"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body of one answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class _ForbiddenAddressError(OSError):
    """Raised where a connection begins; an OSError, so that another address of the same name is tried."""


class SafeHttp:
    """Requests to one party. ``networks`` are allowed although blocked by default; ``ca_file``, or ``ca`` (PEM), replaces the system's authorities.

    Every address is checked at the moment it is connected to, so that a name cannot resolve to another one in between.
    Cookies, proxies of the environment and ~/.netrc have no part in it. Use it inside ``async with``.
    """

    def __init__(
        self,
        *,
        networks: tuple[Network, ...] = (),
        ca_file: Path | None = None,
        ca: str = "",
        user_agent: str = "kraut",
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._networks = networks
        self._ca_file = ca_file
        self._ca = ca
        self._user_agent = user_agent
        self._timeout = timeout_seconds
        self._session: aiohttp.ClientSession | None = None
        self._trust: tuple[float, ssl.SSLContext] | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=10, socket_factory=self._make_socket, use_dns_cache=False)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={
                "User-Agent": self._user_agent,
                "Accept-Encoding": "identity",
                "Accept": "application/json, */*;q=0.5",
            },
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=self._timeout),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
            # aborted TLS connections close their sockets in the loop's next turns
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    async def get(self, url: str, *, max_bytes: int = MAX_BYTES) -> bytes:
        """The body at ``url``, after three redirects at most, each checked as the first URL.

        Raises UntrustedUrlError (nothing was sent there), ResponseError (not 200, too large), UnreachableError.
        """
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._send("GET", check_url(url), max_bytes=max_bytes)
            if answer.status not in _REDIRECTS:
                break
            url = next_url(url, answer.headers.get("Location", ""))
        if answer.status != 200:
            raise ResponseError(f"{url} should answer 200, it answered {answer.status}")
        return answer.body

    async def post_form(self, url: str, form: bytes, headers: Mapping[str, str]) -> Answer:
        """POST a form; a redirect is an answer like any other, since what was sent is for this party only.

        Raises UntrustedUrlError, ResponseError (too large), UnreachableError.
        """
        named = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return await self._send("POST", check_url(url), form, named, max_bytes=MAX_BYTES)

    async def _send(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        max_bytes: int,
    ) -> Answer:
        if self._session is None:
            raise RuntimeError("use it inside `async with SafeHttp(...)`")
        try:
            async with self._session.request(
                method, url, data=body, headers=headers, allow_redirects=False, ssl=self._tls()
            ) as response:
                return Answer(response.status, response.headers, await _read(response, url, max_bytes))
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, _ForbiddenAddressError):
                raise UntrustedUrlError(f"{url} was not asked: {error.os_error}") from None
            raise UnreachableError(f"{url} does not answer: {_describe(error)}") from None
        except (aiohttp.ClientError, OSError) as error:
            raise UnreachableError(f"{url} does not answer: {_describe(error)}") from None
        except ValueError as error:
            # Of a name that no resolver takes (UnicodeError), should check_url let one through.
            raise UntrustedUrlError(f"{url} cannot be asked: {type(error).__name__}; correct it") from None

    def _make_socket(self, info: Any) -> socket.socket:
        family, kind, protocol, _, address = info
        try:
            check_address(str(address[0]), self._networks)
        except UntrustedUrlError as error:
            raise _ForbiddenAddressError(str(error)) from None
        return socket.socket(family, kind, protocol)

    def _tls(self) -> ssl.SSLContext:
        """The authorities to trust, read again when their file has changed; the same context keeps connections alive."""
        try:
            changed_at = self._ca_file.stat().st_mtime if self._ca_file else 0.0
            if self._trust is None or self._trust[0] != changed_at:
                self._trust = changed_at, ssl.create_default_context(cafile=self._ca_file, cadata=self._ca or None)
        except (OSError, TypeError, ValueError) as error:
            # Of text that is not ASCII: TypeError.
            said = getattr(error, "strerror", None) or error
            raise CredentialError(
                f"{self._ca_file or 'caBundle'} should hold PEM certificates of authorities ({said}); mount or correct it"
            ) from None
        context = self._trust[1]
        # Python >= 3.13 refuses authorities without a key usage extension, which Go accepts.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context


async def _read(response: aiohttp.ClientResponse, url: str, max_bytes: int) -> bytes:
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise ResponseError(f"{url} should not compress its answer, it did although nobody asked for that")
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > max_bytes:
            raise ResponseError(f"{url} should answer with {max_bytes} bytes at most, it sent more")
    return bytes(body)


def _describe(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted ({error.certificate_error})"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__
