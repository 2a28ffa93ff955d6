"""Tokens of a service account from the TokenRequest API, for any audience.

https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
"""

from datetime import datetime
from typing import TYPE_CHECKING, Final

from kraut_core.errors import ApiServerError
from kraut_core.identity.sources import Token, TokenCache, check_token_value, digest

if TYPE_CHECKING:
    from kraut_core.kube.client import KubeClient

EXPIRATION_SECONDS: Final = 3600


class TokenRequestSource:
    """A ``TokenSource`` for one service account; needs the right to create ``serviceaccounts/token`` of that name.

    ``expiration_seconds`` is what is asked for (600 at least); the API server may grant less. Tokens are cached by audience.
    """

    def __init__(
        self,
        kube: "KubeClient",
        namespace: str,
        name: str,
        *,
        expiration_seconds: int = EXPIRATION_SECONDS,
        cache: TokenCache | None = None,
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._name = name
        self._seconds = expiration_seconds
        self._cache = cache or TokenCache()

    async def token(self, audience: str) -> Token:
        """A token for ``audience``. Raises ForbiddenError, NotFoundError (no such account), ApiServerError."""
        key = digest(self._kube.server, self._namespace, self._name, audience)
        return await self._cache.get(key, lambda: self._request(audience))

    async def _request(self, audience: str) -> Token:
        path = f"/api/v1/namespaces/{self._namespace}/serviceaccounts/{self._name}/token"
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [audience], "expirationSeconds": self._seconds},
        }
        status = (await self._kube.post_raw(path, body)).get("status", {})
        try:
            expires_at = datetime.fromisoformat(status["expirationTimestamp"]).timestamp()
            return Token(check_token_value(status["token"]), expires_at)
        except (KeyError, TypeError, ValueError):
            raise ApiServerError(
                "a TokenRequest should be answered with a token and its expiration, it was not"
            ) from None
