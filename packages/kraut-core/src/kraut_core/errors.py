"""The error tree of kraut.

::

    KrautError                    anything kraut raises on purpose
    ├── PermanentError            time does not heal it: somebody must change something first
    │   ├── InvalidSpecError      the object contradicts itself or names what cannot be
    │   ├── SecretError           a Secret is missing, or lacks a key, or holds what cannot be parsed
    │   ├── AuthenticationError   the host refused the user or the credentials
    │   ├── HostKeyMismatchError  the host showed a key that is not the pinned one
    │   ├── MachineIdentityError  the host at this address is another machine than before
    │   ├── NotFoundError         the Kubernetes object does not exist (HTTP 404)
    │   ├── ForbiddenError        the Kubernetes API refused this identity or this object (HTTP 401, 403, 422)
    │   ├── PrivilegeError        the user cannot become root without a password
    │   └── UnsupportedHostError  kraut has no way to manage this operating system
    └── TransientError            retrying may heal it
        ├── UnreachableError      no connection: outcome of anything in flight is unknown
        ├── ConflictError         somebody else wrote the object first: read it again
        ├── ApiServerError        the Kubernetes API answered with an error or not at all
        └── UnknownOutcomeError   a command was sent and its result never arrived

Every error carries a ``reason`` (CamelCase, the condition reason a person sees), whether it is
``permanent``, and a message that says what was expected, what was found and what to do.
"""

from typing import ClassVar


class KrautError(Exception):
    """Base of all errors kraut raises on purpose; ``str(error)`` is fit for a person and holds no secret."""

    permanent: ClassVar[bool] = False
    default_reason: ClassVar[str] = "InternalError"

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason


class PermanentError(KrautError):
    """Time does not heal it."""

    permanent = True


class InvalidSpecError(PermanentError):
    """The object contradicts itself or names what cannot be."""

    default_reason = "InvalidSpec"


class SecretError(PermanentError):
    """A referenced Secret is missing, lacks a key, or holds what cannot be parsed."""

    default_reason = "SecretInvalid"


class AuthenticationError(PermanentError):
    """The host refused the user or the credentials."""

    default_reason = "AuthenticationFailed"


class HostKeyMismatchError(PermanentError):
    """The host showed a key that is not the pinned one; no command was sent."""

    default_reason = "HostKeyMismatch"


class MachineIdentityError(PermanentError):
    """The machine behind the address is not the one recorded before; no further command was sent."""

    default_reason = "MachineIdentityChanged"


class PrivilegeError(PermanentError):
    """The user cannot become root without a password."""

    default_reason = "SudoPasswordRequired"


class NotFoundError(PermanentError):
    """The Kubernetes object does not exist (HTTP 404)."""

    default_reason = "NotFound"


class ForbiddenError(PermanentError):
    """The Kubernetes API refused this identity, or what it wanted to write (HTTP 401, 403, 422); ``status`` is the HTTP status."""

    default_reason = "Forbidden"

    def __init__(self, message: str, *, status: int = 0, reason: str | None = None) -> None:
        super().__init__(message, reason=reason)
        self.status = status


class UnsupportedHostError(PermanentError):
    """kraut has no way to manage this operating system."""

    default_reason = "UnsupportedOperatingSystem"


class TransientError(KrautError):
    """Retrying may heal it."""


class UnreachableError(TransientError):
    """No connection; the outcome of anything in flight is unknown (never success, never failure)."""

    default_reason = "Unreachable"


class ConflictError(TransientError):
    """The object was written by somebody else since it was read (HTTP 409)."""

    default_reason = "Conflict"


class ApiServerError(TransientError):
    """The Kubernetes API answered with an error, or not at all.

    ``status`` is the HTTP status, 0 when there was no answer.
    """

    default_reason = "ApiServerError"

    def __init__(self, message: str, *, status: int = 0, reason: str | None = None) -> None:
        super().__init__(message, reason=reason)
        self.status = status


class UnknownOutcomeError(TransientError):
    """A command was sent and its result never arrived: it may or may not have run."""

    default_reason = "UnknownOutcome"
