"""The errors that a lab raises: each message says what was expected, what was found and what to do."""

from __future__ import annotations

from kraut_core.errors import PermanentError


class LabError(PermanentError):
    """Anything that keeps a lab from doing what was asked; its text is a sentence for a person."""

    default_reason = "LabFailed"


class MissingRequirementError(LabError):
    """The machine lacks something that the lab stands on: Linux, root, a Debian package, a toolchain."""


class PartFailedError(LabError):
    """A process of the lab ended, or did not become ready in time; the message carries the end of its log."""


class WaitTimeoutError(LabError):
    """A condition did not hold in time."""
