"""Where the output of a failed operation is kept: the worker writes it, ``kraut logs`` reads it.

One ConfigMap per operation, in the namespace of the object it was for and controlled by that object, so that the
garbage collector removes it too. The worker redacts the output before it writes it, and keeps the newest few.
"""

import hashlib
from typing import Final

from kraut_core.api.meta import GROUP

KIND_LABEL: Final = f"{GROUP}/kind"
NAME_LABEL: Final = f"{GROUP}/name"
OPERATION_LABEL: Final = f"{GROUP}/operation"

OUTPUT_KEY: Final = "output"
"""Key in ``data``: what the operation printed, redacted; when it was long, its end."""

OPERATION_KEY: Final = "operation"
"""Key in ``data``: the OperationStatus as JSON, as it stood when the output was kept."""

MAX_OUTPUT_BYTES: Final = 256 * 1024
KEPT_PER_OBJECT: Final = 3

_MAX_LABEL_CHARACTERS: Final = 63
_MAX_NAME_CHARACTERS: Final = 253
_HASH_CHARACTERS: Final = 8


def operation_log_name(name: str, operation_id: str) -> str:
    """Name of the ConfigMap: ``<name>-operation-<first 8 characters of the operation's UUID>``.

    >>> operation_log_name("web1", "3f2a9c1e-6f0b-4c61-9a53-0c7f0a5d7f11")
    'web1-operation-3f2a9c1e'
    """
    suffix = f"-operation-{operation_id[:8]}"
    return _shorten(name, _MAX_NAME_CHARACTERS - len(suffix)) + suffix


def operation_log_labels(kind: str, name: str, operation_id: str) -> dict[str, str]:
    """Labels of the ConfigMap."""
    return {KIND_LABEL: kind, NAME_LABEL: _label_value(name), OPERATION_LABEL: operation_id}


def operation_log_selector(kind: str, name: str) -> str:
    """Label selector of all ConfigMaps of one object.

    >>> operation_log_selector("Host", "web1")
    'kraut.dev/kind=Host,kraut.dev/name=web1'
    """
    return f"{KIND_LABEL}={kind},{NAME_LABEL}={_label_value(name)}"


def _label_value(name: str) -> str:
    return _shorten(name, _MAX_LABEL_CHARACTERS)


def _shorten(name: str, limit: int) -> str:
    """``name``, or when it is too long its beginning and a hash of all of it; different names stay different."""
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH_CHARACTERS]
    return f"{name[: limit - _HASH_CHARACTERS - 1].rstrip('-.')}-{digest}"
