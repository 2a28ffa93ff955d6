"""What an API server or a provider answered, with what to do about it (pure)."""

from collections.abc import Mapping
from typing import Final

from kraut_core.errors import (
    ApiServerError,
    ForbiddenError,
    KrautError,
    PermanentError,
    TransientError,
    UnreachableError,
)
from kraut_core.identity.errors import ExchangeRefusedError, ExchangeUnavailableError
from kraut_core.kube.explicit import Endpoint
from kraut_core.kube.transport import CERTIFICATE_UNTRUSTED
from kraut_core.redaction import redact_text
from kraut_worker.planning import cluster_verdicts as verdicts
from kraut_worker.ports import ClusterTarget

_CLIENT: Final = "clientAuthentication should name a client that the provider knows, with its present credential"
_SUBJECT: Final = "the provider should trust the home cluster's issuer, reach its keys, and take tokens for the audience subjectAudience"
ADVICE: Final[Mapping[str, str]] = {
    "ExchangeClientRefused": _CLIENT,
    "ExchangeSubjectRefused": _SUBJECT,
    # Dex says no more than that when it does not take the subject token.
    "ExchangeDenied": f"{_SUBJECT}, and let this client exchange them",
    "ExchangeTargetRefused": "audience should be what this client gets tokens for: correct audience, clientID, provider.resource or provider.sendAudience",
    "ExchangeScopeRefused": "correct provider.scopes, or allow them to the client",
    "ExchangeUnsupported": "allow the grant at the provider, or correct provider.grantType and the token types",
    "ExchangeRequestInvalid": "correct provider.parameters (Dex: connector_id is the id of a connector that it has) and the token types",
}
"""What to do, by the reason of a refusal; the names are those of fields below spec.access.exchange."""


def explain(error: KrautError, endpoint: Endpoint, target: ClusterTarget) -> KrautError:
    """The error of an API server, with what to do about it."""
    server = endpoint.server
    said = redact_text(error.message, known=endpoint.secrets)
    if error.reason == CERTIFICATE_UNTRUSTED:
        where = "certificate-authority-data of the kubeconfig" if target.access.kubeconfig else "caBundle"
        return PermanentError(
            f"the certificate of {server} should come from an authority of {where}, and be for this name: correct one of them ({said})",
            reason=verdicts.CERTIFICATE_UNTRUSTED,
        )
    if isinstance(error, ForbiddenError) and error.status == 401:
        return PermanentError(f"{server} does not know kraut: {_trust(target)}", reason=verdicts.UNAUTHORIZED)
    # Another 4xx refuses the request and nobody's identity: no binding helps against a proxy that takes no POST.
    if isinstance(error, ForbiddenError) and error.status == 403:
        return PermanentError(
            f"{server} refuses what every authenticated user may do: bind the ClusterRoles system:basic-user and system:public-info-viewer there ({said})",
            reason=verdicts.FORBIDDEN,
        )
    if isinstance(error, ApiServerError) and not error.status:
        return UnreachableError(f"{server} does not answer; kraut goes on trying ({said})")
    return ApiServerError(f"{server} does not answer as a Kubernetes API server ({said})")


def _trust(target: ClusterTarget) -> str:
    access = target.access
    if access.kubeconfig is not None:
        return f"the credential in Secret {access.kubeconfig.secret_ref.name} has expired or was withdrawn; write a new one"
    way = access.direct or access.exchange
    audience = way.audience if way is not None else ""
    whom = "the home cluster's issuer" if access.direct is not None else "the provider's issuer"
    return (
        f"its AuthenticationConfiguration should trust {whom} for the audience {audience}, and its API server must reach that "
        "issuer's keys; `kraut cluster connect --export` prints the entry"
    )


def explain_exchange(error: ExchangeRefusedError | ExchangeUnavailableError) -> KrautError:
    """The error of a provider, with what to do about it."""
    if isinstance(error, ExchangeUnavailableError):
        message = f"{error.message}; kraut goes on trying: see that the provider runs and shows a certificate of provider.caBundle"
        return TransientError(message, reason=error.reason)
    what_to_do = ADVICE.get(error.reason, "look at the provider's log")
    return PermanentError(f"{error.message}; {what_to_do} (spec.access.exchange)", reason=error.reason)
