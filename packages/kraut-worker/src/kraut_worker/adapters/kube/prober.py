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
FORBIDDEN = 403
UNREADY = 500
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
            except ExchangeRefusedError as error:
                # Providers name a subject token that they do not take in many ways (RFC 8693: invalid_request; Keycloak: invalid_client).
                # Another one, of the key that signs now, is all that kraut can do by itself.
                self._accesses.forget(target)
                raise explain_exchange(error) from None
            except ExchangeUnavailableError as error:
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
    """Ask the four questions. Raises ApiServerError (also for what no API server answers), ForbiddenError, NotFoundError."""
    username = await _username(transport)
    found = _object(await transport.read("/version", max_bytes=MAX_BYTES), "/version")
    unready = await _unready(transport)
    issuer, hidden = "", ""
    try:
        issuer = await _issuer(transport)
    except ForbiddenError as error:
        if error.status != FORBIDDEN:
            raise
        hidden = f"bind the ClusterRole system:service-account-issuer-discovery to {username} there"
    except NotFoundError:
        hidden = "the API server publishes none"
    return ClusterSighting(_text(found, "gitVersion", "/version"), username, issuer, unready, hidden)


async def _username(transport: Transport) -> str:
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    body = await transport.read(path, max_bytes=MAX_BYTES, method="POST", body=msgspec.json.encode(REVIEW))
    status = _member(_object(body, path), "status", path)
    return _text(_member(status, "userInfo", path), "username", path)


async def _issuer(transport: Transport) -> str:
    path = "/.well-known/openid-configuration"
    return _text(_object(await transport.read(path, max_bytes=MAX_BYTES), path), "issuer", path)


async def _unready(transport: Transport) -> str:
    try:
        await transport.read("/readyz", max_bytes=MAX_BYTES)
    except ApiServerError as error:
        if error.status != UNREADY:
            raise
        return "/readyz answers 500"
    return ""


# Whatever answers 200 here is no API server yet: a gateway's page does, and so does any other program at this address.


def _object(body: bytes, what: str) -> dict[str, Any]:
    # text that is not UTF-8, and nesting without end
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = msgspec.json.decode(body)
        if isinstance(found, dict):
            return found
    raise _strange(what, "a JSON object")


def _member(document: dict[str, Any], name: str, what: str) -> dict[str, Any]:
    found = document.get(name)
    if isinstance(found, dict):
        return found
    raise _strange(what, f"an object {name!r}")


def _text(document: dict[str, Any], name: str, what: str) -> str:
    found = document.get(name)
    if isinstance(found, str) and found:
        return found
    raise _strange(what, f"a text {name!r}")


def _strange(what: str, expected: str) -> ApiServerError:
    # Nothing of the answer: it may hold anything.
    return ApiServerError(
        f"{what} should answer with {expected}, it does not: is the address that of an API server?", status=200
    )
