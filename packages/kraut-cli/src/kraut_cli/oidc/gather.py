"""Gather what the judge looks at: the published documents, the cluster behind them, a live token, providers and targets."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kraut_cli.oidc.observations import LiveToken, Observations, Presented, Source
from kraut_cli.oidc.provider import Provider
from kraut_cli.oidc.target import Target
from kraut_core.errors import KrautError
from kraut_core.identity.adapters.exchange import ExchangeTokenSource
from kraut_core.identity.adapters.http import SafeHttp
from kraut_core.identity.adapters.keys import fetch_keys
from kraut_core.identity.adapters.published import read_published
from kraut_core.identity.adapters.tokenrequest import TokenRequestSource
from kraut_core.identity.compact import audiences, read_token
from kraut_core.identity.errors import HomeAudienceError
from kraut_core.identity.issuers import TrustedIssuer
from kraut_core.identity.jwks import parse_jwks
from kraut_core.identity.keys import KeyCache
from kraut_core.identity.sources import FileTokenSource, TokenSource
from kraut_core.identity.urls import Network
from kraut_core.identity.verification import Verifier

if TYPE_CHECKING:
    from kraut_core.kube.client import KubeClient

DISCOVERY_PATH: Final = "/.well-known/openid-configuration"
JWKS_PATH: Final = "/openid/v1/jwks"


@dataclass(frozen=True, slots=True)
class Reach:
    """How the issuer and the provider are reached: authorities and networks."""

    ca_file: Path | None = None
    networks: tuple[Network, ...] = ()

    def trust(self, issuer: str, audience: str) -> TrustedIssuer:
        """The issuer, for one audience. Raises InvalidSpecError for a URL that cannot be."""
        return TrustedIssuer(
            url=issuer,
            audiences=frozenset({audience}),
            ca_file=self.ca_file,
            networks=self.networks,
            max_lifetime_seconds=10**9,
        )


async def read_source(kube: "KubeClient") -> Source:
    """What the API server itself says. Never raises KrautError: it is in ``error``."""
    try:
        document: dict[str, Any] = await kube.get_raw(DISCOVERY_PATH)
        # It has this one representation, and answers 406 to whoever wants plain JSON.
        keys = parse_jwks(await kube.transport.request("GET", JWKS_PATH, accept="application/jwk-set+json"))
        return Source(str(document["issuer"]), frozenset(key.kid for key in keys))
    except KrautError as error:
        return Source(error=error)


async def observe(
    issuer: str, reach: Reach, *, audience: str, source: Source | None, tokens: TokenSource | None
) -> tuple[Observations, str | None]:
    """Everything about the issuer itself, and the live token as it may be sent. Raises HomeAudienceError."""
    trusted = reach.trust(issuer, audience)
    published = await read_published(trusted)
    live, value = await _live(tokens, trusted, audience) if tokens else (None, None)
    return Observations(issuer, time.time(), published, source, live), value


async def _live(tokens: TokenSource, trusted: TrustedIssuer, audience: str) -> tuple[LiveToken, str | None]:
    try:
        value = (await tokens.token(audience)).value
        # A file's token was signed some time ago; one from TokenRequest tells the API server's clock.
        received_at = None if isinstance(tokens, FileTokenSource) else time.time()
        token = read_token(value)
    except HomeAudienceError:
        raise
    except KrautError as error:
        return LiveToken(error=error), None
    # Of another issuer it is nothing to those who trust this one.
    to_send = value if token.issuer == trusted.url else None
    try:
        await Verifier([trusted], KeyCache(fetch_keys)).verify(value)
    except KrautError as error:
        return LiveToken(token, refused=error, received_at=received_at), to_send
    return LiveToken(token, received_at=received_at), to_send


async def exchanged(provider: Provider, reach: Reach, tokens: TokenSource) -> tuple[Presented, str | None]:
    """Exchange a token at the provider, and what came of it. Raises HomeAudienceError."""
    where = provider.endpoint
    try:
        async with SafeHttp(networks=reach.networks, ca_file=reach.ca_file) as http:
            exchange, client = provider.describe(tokens)
            source = ExchangeTokenSource(exchange, tokens, client, http)
            return Presented(where), (await source.token(provider.audience)).value
    except HomeAudienceError:
        raise
    except KrautError as error:
        return Presented(where, error=error), None


async def with_targets(seen: Observations, targets: list[Target], token: str | None) -> Observations:
    """Present the live token to each target."""
    if token is None:
        return seen
    return replace(seen, targets=(*seen.targets, *[await target.present(token) for target in targets]))


def token_source(
    kube: "KubeClient | None", token_file: Path | None, service_account: str | None, *, to_send: bool
) -> TokenSource | None:
    """Where live tokens come from: a file, else TokenRequest for ``namespace/name``; None when there is neither.

    ``to_send``: whether they are shown to anybody, and not only looked at.
    """
    if token_file is not None:
        return FileTokenSource(token_file, to_send=to_send)
    if kube is None or service_account is None:
        return None
    namespace, _, name = service_account.rpartition("/")
    return TokenRequestSource(kube, namespace or "default", name, expiration_seconds=600, to_send=to_send)


def audience_of(token_file: Path) -> str | None:
    """The first audience of the token in a file; None when it is no token."""
    try:
        named = audiences(token_file.read_text().strip())
    except (OSError, UnicodeDecodeError):
        return None
    return named[0] if named else None
