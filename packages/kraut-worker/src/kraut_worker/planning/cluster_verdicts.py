"""Every reason that a Cluster's conditions can carry beside those of errors (``kraut_core.errors``, ``kraut_core.identity.errors``)."""

REACHABLE = "Reachable"
"""The API server answers, shows a trusted certificate, knows kraut and is ready."""

DISCOVERING = "Discovering"
"""The cluster is being looked at for this generation of the spec."""

RETRYING = "Retrying"
"""The cluster cannot be asked now; it is asked again soon."""

NOT_OBSERVED = "NotObserved"
"""Nothing is known yet."""

NOT_READY = "ApiServerNotReady"
"""The API server's own readiness check fails."""

CERTIFICATE_UNTRUSTED = "CertificateUntrusted"
"""The API server's certificate does not come from an authority of caBundle, or is for another name."""

UNAUTHORIZED = "Unauthorized"
"""The API server does not know the credential (HTTP 401)."""

FORBIDDEN = "Forbidden"
"""The API server knows kraut and refuses what every authenticated user may do (HTTP 403)."""

ISSUER_MISMATCH = "IssuerMismatch"
"""The cluster's issuer is not the one that the spec names: it may be another cluster."""

ISSUER_HIDDEN = "IssuerHidden"
"""The spec names an issuer, and the cluster does not let kraut read its own."""

AUDIENCE_IS_HOME = "AudienceIsHome"
"""A token for this audience would act in the home cluster, so it is sent to nobody else."""

TOKEN_REQUEST_FORBIDDEN = "TokenRequestForbidden"  # noqa: S105 - the name of a reason
"""kraut-worker may not ask for tokens of the service account."""

SERVICE_ACCOUNT_NOT_FOUND = "ServiceAccountNotFound"
"""serviceAccountName names a ServiceAccount that does not exist."""

TOKEN_REQUEST_FAILED = "TokenRequestFailed"  # noqa: S105
"""The home cluster's API server gave no token this time."""
