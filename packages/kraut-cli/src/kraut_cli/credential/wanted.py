"""What ``kraut-credential`` was asked for, and the token source that gives it."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from kraut_core.errors import InvalidSpecError
from kraut_core.identity.clientauth import Method
from kraut_core.identity.described import describe_client, describe_exchange
from kraut_core.identity.exchange import Exchange
from kraut_core.identity.issuers import parse_networks
from kraut_core.identity.sources import FileTokenSource, TokenSource, digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The options of ``kraut-credential``; see their help."""

    audience: str
    token_file: Path | None = None
    service_account: tuple[str, str] | None = None
    kubeconfig: Path | None = None
    context: str | None = None
    token_endpoint: str | None = None
    subject_audience: str | None = None
    grant: str = "token-exchange"
    subject_token_type: str = "jwt"  # noqa: S105 - the name of a type
    requested_token_type: str | None = None
    send_audience: bool = True
    resource: str | None = None
    scope: tuple[str, ...] = ()
    parameter: tuple[tuple[str, str], ...] = ()
    client_authentication: Method = "none"
    client_id: str = ""
    client_secret_file: Path | None = None
    client_key_file: Path | None = None
    client_key_id: str | None = None
    ca_file: Path | None = None
    allow_network: tuple[str, ...] = field(default=())

    def key(self) -> str | None:
        """What a kept token is found by: everything that was asked for, and whose token it is. None: it is not to be kept.

        The subject is in it by content, not by name: another token in the same file, or another cluster or context in the same
        kubeconfig, is another subject. A projected token alone is as near as any copy of it.
        """
        file = self.token_file or self.kubeconfig
        if file is None or (self.token_file is not None and self.token_endpoint is None):
            return None
        try:
            content = hashlib.sha256(file.read_bytes()).hexdigest()
        except OSError:
            # Whoever reads it next says what is wrong with it.
            return None
        options = (getattr(self, name) for name in self.__slots__)
        return digest(content, *(str(o.resolve()) if isinstance(o, Path) else repr(o) for o in options))

    def exchange(self) -> Exchange | None:
        """The exchange, when one is asked for. Raises InvalidSpecError."""
        if self.token_endpoint is None:
            return None
        if self.subject_audience is None:
            raise InvalidSpecError("--token-endpoint needs --subject-audience: whom the service account's token is for")
        return describe_exchange(
            token_endpoint=self.token_endpoint,
            subject_audience=self.subject_audience,
            grant=self.grant,
            subject_token_type=self.subject_token_type,
            requested_token_type=self.requested_token_type,
            send_audience=self.send_audience,
            resource=self.resource,
            scope=self.scope,
            parameters=dict(self.parameter),
        )


@asynccontextmanager
async def source_of(wanted: Wanted) -> AsyncIterator[TokenSource]:
    """The token source for as long as the block lasts. Raises InvalidSpecError, PermanentError (kubeconfig)."""
    async with AsyncExitStack() as stack:
        subject = await _subject(wanted, stack)
        exchange = wanted.exchange()
        if exchange is None:
            yield subject
            return
        from kraut_core.identity.adapters.exchange import ExchangeTokenSource  # noqa: PLC0415 - aiohttp costs 0.2 s
        from kraut_core.identity.adapters.http import SafeHttp  # noqa: PLC0415

        client = describe_client(
            exchange,
            subject,
            method=wanted.client_authentication,
            client_id=wanted.client_id,
            secret_file=wanted.client_secret_file,
            key_file=wanted.client_key_file,
            key_id=wanted.client_key_id,
        )
        http = await stack.enter_async_context(
            SafeHttp(networks=parse_networks(wanted.allow_network), ca_file=wanted.ca_file, user_agent=_agent())
        )
        yield ExchangeTokenSource(exchange, subject, client, http)


async def _subject(wanted: Wanted, stack: AsyncExitStack) -> TokenSource:
    if wanted.token_file is not None:
        return FileTokenSource(wanted.token_file)
    from kraut_core.identity.adapters.tokenrequest import TokenRequestSource  # noqa: PLC0415
    from kraut_core.kube.client import KubeClient  # noqa: PLC0415

    if wanted.service_account is None or wanted.kubeconfig is None:
        raise InvalidSpecError("--service-account needs --kubeconfig: where the account lives")
    namespace, name = wanted.service_account
    connected = KubeClient.connect(str(wanted.kubeconfig), wanted.context, user_agent=_agent())
    return TokenRequestSource(await stack.enter_async_context(connected), namespace, name)


def _agent() -> str:
    return f"kraut-credential/{version('kraut-cli')}"
