"""Tokens by exchange at a provider, cached until shortly before they expire."""

import time
from collections.abc import Callable

from kraut_core.errors import UnreachableError
from kraut_core.identity.adapters.http import SafeHttp
from kraut_core.identity.clientauth import ClientAuthentication
from kraut_core.identity.errors import ExchangeUnavailableError
from kraut_core.identity.exchange import Exchange, build_form, parse_answer
from kraut_core.identity.sources import Token, TokenCache, TokenSource, digest


class ExchangeTokenSource:
    """A ``TokenSource`` that exchanges what ``subject`` gives; a client that asks for itself (client credentials) and shows
    another credential than a service account's token needs no subject, and none is got.

    The cache is keyed by subject token, audience and provider: a rotated subject token means a new exchange.
    """

    def __init__(
        self,
        exchange: Exchange,
        subject: TokenSource,
        client: ClientAuthentication,
        http: SafeHttp,
        *,
        cache: TokenCache | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._exchange = exchange
        self._subject = subject
        self._client = client
        self._http = http
        self._cache = cache or TokenCache(clock=clock)
        self._clock = clock

    async def token(self, audience: str) -> Token:
        """A token of the provider for ``audience``.

        Raises ExchangeRefusedError, ExchangeUnavailableError, CredentialError, UntrustedUrlError.
        """
        subject = await self._subject_token()
        key = digest(subject, audience, self._exchange.token_endpoint, self._client.client_id)
        return await self._cache.get(key, lambda: self._ask(subject, audience))

    async def _subject_token(self) -> str:
        if self._exchange.grant == "client-credentials" and self._client.method != "service_account":
            return ""
        return (await self._subject.token(self._exchange.subject_audience)).value

    async def _ask(self, subject: str, audience: str) -> Token:
        url = self._exchange.token_endpoint
        headers, body, secrets = await self._client.authenticate(url, build_form(self._exchange, subject, audience))
        try:
            answer = await self._http.post_form(url, body, headers)
        except UnreachableError as error:
            raise ExchangeUnavailableError(str(error)) from None
        return parse_answer(
            self._exchange,
            answer.status,
            answer.headers,
            answer.body,
            audience=audience,
            secrets=(*filter(None, (subject,)), *secrets),
            now=self._clock(),
        )
