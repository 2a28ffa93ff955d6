"""What can go wrong with identity, by class: who must act, and whether time heals it. No error holds a token.

::

    PermanentError
    ├── TokenRefusedError        a token was verified and is not accepted; ``reason`` says why
    ├── HomeAudienceError        a token would act in the cluster that it comes from, so it is sent to nobody else
    ├── CredentialError          an own credential (file, key, secret) is missing or not what it should be
    ├── UntrustedUrlError        a URL or the address behind it must not be asked
    ├── IssuerDocumentError      an issuer's discovery document is not what it must be
    ├── JwksError                (identity.jwks) a key set must not be used
    └── ExchangeRefusedError     a provider refused the exchange; ``code`` is OAuth's error
    TransientError
    ├── IssuerUnavailableError   no keys of an issuer are known, and it does not answer
    └── ExchangeUnavailableError a provider did not answer, or asks to come back later
"""

from kraut_core.errors import PermanentError, TransientError


class TokenRefusedError(PermanentError):
    """A token that is not accepted. ``reason`` is one of the constants below; ``str()`` is fit for the caller."""

    default_reason = "TokenRefused"


MALFORMED = "TokenMalformed"
UNKNOWN_ISSUER = "TokenIssuerUnknown"
ALGORITHM = "TokenAlgorithmRefused"
UNKNOWN_KEY = "TokenKeyUnknown"
SIGNATURE = "TokenSignatureInvalid"
AUDIENCE = "TokenAudienceRefused"
EXPIRED = "TokenExpired"
NOT_YET_VALID = "TokenNotYetValid"
LIFETIME = "TokenLifetimeRefused"
CLAIMS = "TokenClaimsRefused"
USER = "TokenUserReserved"


class HomeAudienceError(PermanentError):
    """A token for this audience would act in the cluster that it comes from, so it is sent to nobody else."""

    default_reason = "AudienceIsHome"

    def __init__(self, audience: str) -> None:
        super().__init__(
            f"a token for the audience {audience} would act in the cluster that it comes from, so it is sent to nobody else: give the "
            "other side an audience of its own"
        )


class CredentialError(PermanentError):
    """An own credential is missing or is not what it should be."""

    default_reason = "CredentialInvalid"


class UntrustedUrlError(PermanentError):
    """A URL, or the address that its name resolves to, must not be asked; nothing was sent."""

    default_reason = "UrlUntrusted"


class IssuerDocumentError(PermanentError):
    """An issuer's discovery document is not what it must be."""

    default_reason = "IssuerDocumentInvalid"


class ExchangeRefusedError(PermanentError):
    """A provider refused an exchange; ``code`` is the error of RFC 6749 section 5.2, empty when it gave none."""

    default_reason = "ExchangeRefused"

    def __init__(self, message: str, *, code: str = "", reason: str | None = None) -> None:
        super().__init__(message, reason=reason)
        self.code = code


class IssuerUnavailableError(TransientError):
    """No keys of an issuer are known, and it does not answer."""

    default_reason = "IssuerUnavailable"


class ExchangeUnavailableError(TransientError):
    """A provider did not answer, or asks to come back later; ``retry_after_seconds`` if it said when."""

    default_reason = "ExchangeUnavailable"

    def __init__(self, message: str, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
