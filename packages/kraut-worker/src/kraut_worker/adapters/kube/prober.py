"""Looks at an API server: who kraut is there, its version, whether it is ready, and its issuer."""

from contextlib import suppress
from importlib.metadata import version
from typing import Any

import msgspec

from kraut_core.errors import (
    ApiServerError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
)
from kraut_core.identity.errors import ExchangeRefusedError, ExchangeUnavailableError
from kraut_core.kube.transport import Transport
from kraut_worker.adapters.kube.access import Accesses
from kraut_worker.adapters.kube.explaining import explain, explain_exchange
from kraut_worker.planning import cluster_verdicts as verdicts
from kraut_worker.ports import ClusterSighting, ClusterTarget

TIMEOUT_SECONDS = 10.0
MAX_BYTES = 64 * 1024
REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


class HttpsClusterProber:
    """Implements ``kraut_worker.ports.ClusterProber``."""

    def __init__(self, accesses: Accesses) -> None:
        self._accesses = accesses

    async def probe(self, target: ClusterTarget) -> ClusterSighting:
        """See who and what is there. Raises as ``ClusterProber.probe`` says."""
        async with self._accesses.open(target) as (endpoint, access):
            agent = f"kraut-worker/{version('kraut-worker')}"
            transport = Transport(access, user_agent=agent, timeout_seconds=TIMEOUT_SECONDS, one_shot=True)
            try:
                await transport.open()
                return await look(transport)
            except (ExchangeRefusedError, ExchangeUnavailableError) as error:
                raise explain_exchange(error) from None
            except (ApiServerError, ForbiddenError, NotFoundError, ConflictError) as error:
                found = explain(error, endpoint, target)
                if found.reason == verdicts.UNAUTHORIZED:
                    # Whoever mends the trust or makes the account anew shall not wait for the end of an old token.
                    self._accesses.forget(target)
                raise found from None
            finally:
                await transport.close()


async def look(transport: Transport) -> ClusterSighting:
    """Ask the four questions. Raises ApiServerError, ForbiddenError, NotFoundError."""
    username = await _username(transport)
    found = _json(await transport.read("/version", max_bytes=MAX_BYTES), "/version")
    unready = await _unready(transport)
    issuer, hidden = "", ""
    try:
        path = "/.well-known/openid-configuration"
        issuer = str(_json(await transport.read(path, max_bytes=MAX_BYTES), path).get("issuer", ""))
    except ForbiddenError:
        hidden = f"bind the ClusterRole system:service-account-issuer-discovery to {username} there"
    except NotFoundError:
        hidden = "the API server publishes none"
    return ClusterSighting(str(found.get("gitVersion", "")), username, issuer, unready, hidden)


async def _username(transport: Transport) -> str:
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    body = await transport.read(path, max_bytes=MAX_BYTES, method="POST", body=msgspec.json.encode(REVIEW))
    user = _json(body, path).get("status", {}).get("userInfo", {})
    return str(user.get("username", ""))


async def _unready(transport: Transport) -> str:
    try:
        await transport.read("/readyz", max_bytes=MAX_BYTES)
    except ApiServerError as error:
        if error.status != 500:
            raise
        return "/readyz answers 500"
    return ""


def _json(body: bytes, what: str) -> dict[str, Any]:
    with suppress(msgspec.DecodeError):
        found = msgspec.json.decode(body)
        if isinstance(found, dict):
            return found
    raise ApiServerError(f"{what} should answer with a JSON object, it does not: is it a Kubernetes API server?")
