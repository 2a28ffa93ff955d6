"""From a Cluster's ``spec.access`` to an access that the transport can use, with tokens kept as long as they are good."""

import base64
import binascii
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from kraut_core.api.v1alpha1.cluster import ClientAuthentication as ClientSpec
from kraut_core.api.v1alpha1.cluster import ExchangeAccess, ServerAccess
from kraut_core.errors import (
    ApiServerError,
    ForbiddenError,
    InvalidSpecError,
    NotFoundError,
    PermanentError,
    SecretError,
    TransientError,
)
from kraut_core.identity.adapters.exchange import ExchangeTokenSource
from kraut_core.identity.adapters.http import SafeHttp
from kraut_core.identity.adapters.tokenrequest import TokenRequestSource
from kraut_core.identity.clientauth import ClientAuthentication
from kraut_core.identity.described import describe_client, describe_exchange
from kraut_core.identity.errors import HomeAudienceError
from kraut_core.identity.exchange import Exchange
from kraut_core.identity.sources import Token, TokenCache, TokenSource, renewal_time
from kraut_core.identity.urls import Network
from kraut_core.kube.client import KubeClient
from kraut_core.kube.config import Access
from kraut_core.kube.explicit import Bearer, Endpoint, explicit_access, parse_kubeconfig
from kraut_worker.planning import cluster_verdicts as verdicts
from kraut_worker.ports import ClusterTarget

MAX_TARGETS = 1024
CLIENT_SECRET = "client-secret"  # noqa: S105 - the name of a key in a Secret
PRIVATE_KEY = "tls.key"


@dataclass(slots=True)
class Kept:
    """What is remembered of one target; another generation or Secret is another target."""

    subjects: TokenCache = field(default_factory=TokenCache)
    exchanged: TokenCache = field(default_factory=TokenCache)


class Accesses:
    """Accesses to clusters with tokens of service accounts of the home cluster. ``networks``: as in ``SafeHttp``."""

    def __init__(self, home: KubeClient, *, networks: tuple[Network, ...] = ()) -> None:
        self._home = home
        self._networks = networks
        self._kept: OrderedDict[tuple[str, int, str], Kept] = OrderedDict()

    @asynccontextmanager
    async def open(self, target: ClusterTarget) -> AsyncIterator[tuple[Endpoint, Access]]:
        """The endpoint and an access to it. Raises SecretError, InvalidSpecError, CredentialError."""
        access = target.access
        if access.kubeconfig is not None:
            name, key = access.kubeconfig.secret_ref.name, access.kubeconfig.key
            endpoint = parse_kubeconfig(name, _value(target, key), access.kubeconfig.context)
            yield endpoint, explicit_access(endpoint)
            return
        way = access.direct or access.exchange
        if way is None:
            raise InvalidSpecError(
                "spec.access names no way that this version of kraut knows; correct it, or upgrade kraut"
            )
        endpoint = Endpoint(server=way.server.rstrip("/"), ca=pem(way.ca_bundle))
        subject = _Subject(self._home, target, way, self._remembered(target).subjects)
        if access.exchange is None:
            yield endpoint, explicit_access(endpoint, lambda: _bearer(subject, way.audience))
            return
        provider = access.exchange.provider
        async with SafeHttp(networks=self._networks, ca=pem(provider.ca_bundle)) as http:
            cache = self._remembered(target).exchanged
            exchange = make_exchange(access.exchange)
            client = client_authentication(exchange, access.exchange.client_authentication, target, subject)
            source = ExchangeTokenSource(exchange, subject, client, http, cache=cache)
            yield endpoint, explicit_access(endpoint, lambda: _bearer(source, way.audience))

    def forget(self, target: ClusterTarget) -> None:
        """Get new tokens the next time."""
        self._kept.pop(_key(target), None)

    def _remembered(self, target: ClusterTarget) -> Kept:
        kept = self._kept.setdefault(_key(target), Kept())
        self._kept.move_to_end(_key(target))
        while len(self._kept) > MAX_TARGETS:
            self._kept.popitem(last=False)
        return kept


def _key(target: ClusterTarget) -> tuple[str, int, str]:
    return target.uid, target.generation, target.secret_version


async def _bearer(source: TokenSource, audience: str) -> Bearer:
    token = await source.token(audience)
    now = time.time()
    return Bearer(token.value, max(renewal_time(token, now) - now, 0.0))


class _Subject:
    """Tokens of the named service account, which act nowhere but where they are sent."""

    def __init__(self, home: KubeClient, target: ClusterTarget, way: ServerAccess, cache: TokenCache) -> None:
        self._namespace, self._name = target.namespace, way.service_account_name
        is_home = way.server.rstrip("/") == home.server and target.access.direct is not None
        self._source = TokenRequestSource(home, self._namespace, self._name, cache=cache, to_send=not is_home)

    async def token(self, audience: str) -> Token:
        """A token for ``audience``. Raises PermanentError (AudienceIsHome), and what TokenRequest raises, explained."""
        account = f"ServiceAccount {self._name} in namespace {self._namespace}"
        try:
            return await self._source.token(audience)
        except HomeAudienceError as error:
            message = f"{error.message}; it is named in spec.access"
            raise PermanentError(message, reason=verdicts.AUDIENCE_IS_HOME) from None
        except NotFoundError:
            message = f"{account} does not exist: create it, or correct serviceAccountName"
            raise PermanentError(message, reason=verdicts.SERVICE_ACCOUNT_NOT_FOUND) from None
        except ForbiddenError as error:
            message = (
                f"kraut-worker may not ask for tokens of {account}: `kraut cluster connect` writes the Role for it (create serviceaccounts/token "
                f"of this name) ({error.message})"
            )
            raise PermanentError(message, reason=verdicts.TOKEN_REQUEST_FORBIDDEN) from None
        except ApiServerError as error:
            # Not the other cluster's fault: it was not even asked.
            message = f"the home cluster gave no token of {account}; kraut goes on trying ({error.message})"
            raise TransientError(message, reason=verdicts.TOKEN_REQUEST_FAILED) from None


def make_exchange(access: ExchangeAccess) -> Exchange:
    """The exchange that a Cluster describes (pure). Raises InvalidSpecError."""
    provider = access.provider
    return describe_exchange(
        token_endpoint=provider.token_endpoint,
        subject_audience=provider.subject_audience,
        grant=provider.grant_type,
        subject_token_type=provider.subject_token_type,
        requested_token_type=provider.requested_token_type,
        send_audience=provider.send_audience,
        resource=provider.resource,
        scope=provider.scopes,
        parameters={parameter.name: parameter.value for parameter in provider.parameters},
    )


def client_authentication(
    exchange: Exchange, spec: ClientSpec, target: ClusterTarget, subject: TokenSource
) -> ClientAuthentication:
    """How the provider learns which client asks (pure). Raises SecretError, InvalidSpecError."""
    return describe_client(
        exchange,
        subject,
        method=spec.method,
        client_id=spec.client_id or "",
        secret=_client_secret(spec, target),
        key_id=spec.key_id,
        algorithm=spec.algorithm,
    )


def _client_secret(spec: ClientSpec, target: ClusterTarget) -> str:
    if spec.secret_ref is None:
        return ""
    key = PRIVATE_KEY if spec.method == "PrivateKeyJWT" else CLIENT_SECRET
    try:
        return _value(target, key).decode().strip()
    except UnicodeDecodeError:
        raise SecretError(f"key {key} of Secret {target.secret_name} is not UTF-8 text") from None


def _value(target: ClusterTarget, key: str) -> bytes:
    value = target.secret.get(key)
    if not value:
        found = ", ".join(sorted(target.secret)) or "no keys at all"
        raise SecretError(f"Secret {target.secret_name} needs the key {key}, it has {found}", reason="SecretIncomplete")
    return value


def pem(bundle: str | None) -> str:
    """A caBundle's certificates (pure). Raises InvalidSpecError."""
    try:
        return base64.b64decode(bundle or "", validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidSpecError("caBundle should be base64 of PEM certificates, it is not") from None
