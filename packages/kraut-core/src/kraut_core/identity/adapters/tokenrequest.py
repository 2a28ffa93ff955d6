"""Tokens of a service account from the TokenRequest API, for any audience.

https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from kraut_core.errors import ApiServerError
from kraut_core.identity.errors import HomeAudienceError
from kraut_core.identity.sources import Token, TokenCache, check_token_value, digest

if TYPE_CHECKING:
    from kraut_core.kube.client import KubeClient

EXPIRATION_SECONDS: Final = 3600
MINIMUM_SECONDS: Final = 600
"""The API server grants nothing shorter."""


class TokenRequestSource:
    """A ``TokenSource`` for one service account; needs the right to create ``serviceaccounts/token`` of that name.

    ``expiration_seconds`` is what is asked for (600 at least); the API server may grant less. Tokens are cached by audience.
    What it gives acts nowhere in the account's own cluster, unless ``to_send`` is false: then it is for this cluster, or looked at only.
    """

    def __init__(
        self,
        kube: "KubeClient",
        namespace: str,
        name: str,
        *,
        expiration_seconds: int = EXPIRATION_SECONDS,
        cache: TokenCache | None = None,
        to_send: bool = True,
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._name = name
        self._seconds = expiration_seconds
        self._cache = cache or TokenCache()
        self._to_send = to_send

    async def token(self, audience: str) -> Token:
        """A token for ``audience``. Raises HomeAudienceError, ForbiddenError, NotFoundError (no such account), ApiServerError."""
        # A cache may be shared: what was got to be looked at is not found by whoever sends it.
        key = digest(self._kube.server, self._namespace, self._name, audience, str(self._to_send))
        return await self._cache.get(key, lambda: self._request(audience))

    async def _request(self, audience: str) -> Token:
        if self._to_send and audience in await home_audiences(self._kube, self._namespace, self._name):
            raise HomeAudienceError(audience)
        answer = await request_token(self._kube, self._namespace, self._name, [audience], self._seconds)
        try:
            status = answer["status"]
            expires_at = datetime.fromisoformat(status["expirationTimestamp"]).timestamp()
            return Token(check_token_value(status["token"]), expires_at)
        except (KeyError, TypeError, ValueError):
            raise ApiServerError(
                "a TokenRequest should be answered with a token and its expiration, it was not"
            ) from None


async def home_audiences(kube: "KubeClient", namespace: str, name: str) -> frozenset[str]:
    """The audiences that the API server itself accepts: it puts them into a request that names none. Raises as ``token``.

    A token for one of these acts in this cluster, and must never be sent to anybody else.
    """
    answer = await request_token(kube, namespace, name, [], MINIMUM_SECONDS)
    try:
        found = frozenset(str(audience) for audience in answer["spec"]["audiences"])
    except (KeyError, TypeError):
        found = frozenset()
    if not found:
        # Not to know them is no reason to send a token.
        raise ApiServerError(
            "a TokenRequest without audiences should be answered with those of the API server, it was not"
        )
    return found


async def request_token(kube: "KubeClient", namespace: str, name: str, audiences: list[str], seconds: int) -> Any:
    """Send one TokenRequest; the answer, decoded, holds the token."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    spec = {"audiences": audiences, "expirationSeconds": seconds}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    return await kube.post_raw(path, body)
