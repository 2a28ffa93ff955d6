"""Paths on the API server, with every segment checked: a name never reaches another path."""

import re

from kraut_core.api.kinds import Kind, kind_named
from kraut_core.errors import InvalidSpecError

_SEGMENT = re.compile(r"[a-z0-9]([a-z0-9.\-]{0,251}[a-z0-9])?")


def segment(value: str) -> str:
    """``value`` when it is a DNS subdomain (RFC 1123), which needs no escaping. Raises InvalidSpecError otherwise."""
    if _SEGMENT.fullmatch(value) is None or ".." in value:
        raise InvalidSpecError(f"expected a name of lower-case letters, digits, '-' and '.', found {value[:80]!r}")
    return value


def collection(kind: Kind, namespace: str | None) -> str:
    """The objects of a kind in ``namespace``, or in all namespaces for None."""
    if namespace is None:
        return kind.path
    root, _, plural = kind.path.rpartition("/")
    return f"{root}/namespaces/{segment(namespace)}/{plural}"


def item(kind: Kind, namespace: str, name: str) -> str:
    """One object of a kind."""
    return f"{collection(kind, namespace)}/{segment(name)}"


def core(resource: str, namespace: str, name: str = "") -> str:
    """Objects, or one object, of a namespaced resource of core/v1, for example ``secrets``."""
    base = f"/api/v1/namespaces/{segment(namespace)}/{resource}"
    return f"{base}/{segment(name)}" if name else base


FOREIGN = {"Secret": "secrets", "ConfigMap": "configmaps"}
"""Kinds of core/v1 that kraut's kinds may refer to, with their resources."""


def watched(kind: str, namespace: str | None) -> str:
    """The collection of a kind by its name, kraut's or of core/v1. Raises KeyError for any other."""
    if kind not in FOREIGN:
        return collection(kind_named(kind), namespace)
    return f"/api/v1/{FOREIGN[kind]}" if namespace is None else core(FOREIGN[kind], namespace)
