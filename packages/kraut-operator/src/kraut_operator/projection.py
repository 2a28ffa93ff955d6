"""From a kind's declaration to the msgspec shape that decodes only what dispatch needs.

Names no kind: reference and selector paths, owned kinds and versions come from ``kraut_core.api.kinds``.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from kraut_core.api.kinds import Kind
from kraut_core.api.meta import GROUP, REQUESTED_AT
from kraut_core.kube.replica import View
from kraut_operator.entry import Entry, Named, Observed, Selection

MAX_REQUEST_CHARACTERS = 256
"""lastHandledRequest holds no more: the rest of a longer annotation is not compared."""


class Requirement(msgspec.Struct, rename="camel", frozen=True):
    """One of a selector's matchExpressions."""

    key: str = ""
    operator: str = ""
    values: tuple[str, ...] = ()


class LabelSelector(msgspec.Struct, rename="camel", frozen=True):
    """metav1.LabelSelector."""

    match_labels: dict[str, str] = {}
    match_expressions: tuple[Requirement, ...] = ()


class _Owner(msgspec.Struct, rename="camel"):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    controller: bool = False


class _Observed(msgspec.Struct):
    kind: str = ""
    name: str = ""
    uid: str = ""
    version: str = ""


class _Status(msgspec.Struct, rename="camel"):
    observed_generation: int = 0
    last_handled_request: str = ""
    observed_references: list[_Observed] = []


_Annotations = msgspec.defstruct("_Annotations", [("requested_at", str, "")], rename={"requested_at": REQUESTED_AT})

_IDENTITY = [("name", str, ""), ("namespace", str, ""), ("uid", str, ""), ("resource_version", str, "")]
_NO_STATUS = _Status()


def project_kind(kind: Kind, kinds: Sequence[Kind]) -> View[Entry]:
    """The view of a kind of kraut's; ``kinds`` are all of them, since others may select or own its objects."""
    metadata: list[Any] = [*_IDENTITY, ("generation", int, 0), *_related_fields(kind.name, kinds)]
    fields: list[Any] = []
    if kind.reconciled:
        metadata += [("deletion_timestamp", str | None, None), ("annotations", _Annotations | None, None)]
        fields = [("spec", _spec_struct(kind) | None, None), ("status", _Status | None, None)]
    return View(_shape(kind.name, metadata, fields), _keeper(kind.name, kind))


def project_metadata(kind: str, kinds: Sequence[Kind]) -> View[Entry]:
    """The view of a kind that is not kraut's and only referred to, a Secret for example: its metadata."""
    return View(_shape(kind, [*_IDENTITY, *_related_fields(kind, kinds)], []), _keeper(kind, None))


def _related_fields(kind: str, kinds: Sequence[Kind]) -> list[Any]:
    selected = any(selector.kind == kind for other in kinds for selector in other.selectors)
    owned = any(kind in other.owns for other in kinds)
    return [("labels", dict[str, str] | None, None)] * selected + [
        ("owner_references", list[_Owner] | None, None)
    ] * owned


def _shape(name: str, metadata: Sequence[Any], fields: Sequence[Any]) -> type[msgspec.Struct]:
    meta = msgspec.defstruct(f"{name}Meta", metadata, rename="camel")
    return msgspec.defstruct(f"{name}Shape", [("metadata", meta), *fields])


def _spec_struct(kind: Kind) -> Any:
    leaves: dict[tuple[str, ...], Any] = {reference.path: str for reference in kind.references}
    leaves |= {selector.path: LabelSelector for selector in kind.selectors}
    if kind.site_path:
        leaves[kind.site_path] = str
    if any(path[0] != "spec" for path in leaves):
        raise ValueError(f"{kind.name}: references, selectors and site are fields of the spec")
    return _nest(f"{kind.name}Spec", {path[1:]: leaf for path, leaf in leaves.items()})


def _nest(name: str, leaves: Mapping[tuple[str, ...], Any]) -> Any:
    heads = dict.fromkeys(path[0] for path in leaves)
    return msgspec.defstruct(name, [(head, _type_below(name, head, leaves) | None, None) for head in heads])


def _type_below(name: str, head: str, leaves: Mapping[tuple[str, ...], Any]) -> Any:
    below = {path[1:]: leaf for path, leaf in leaves.items() if path[0] == head}
    return below[()] if () in below else _nest(f"{name}_{head}", below)


def _keeper(kind_name: str, kind: Kind | None) -> Callable[[Any], Entry]:
    references = [(reference.kind, reference.path) for reference in kind.references] if kind else []
    selectors = [(selector.kind, selector.path) for selector in kind.selectors] if kind else []
    reconciled = kind is not None and kind.reconciled
    site_path = kind.site_path if kind else ()

    def keep(found: Any) -> Entry:
        metadata = found.metadata
        common: dict[str, Any] = {
            "kind": kind_name,
            "namespace": sys.intern(metadata.namespace),
            "name": metadata.name,
            "uid": metadata.uid,
            "resource_version": metadata.resource_version,
            "generation": getattr(metadata, "generation", 0),
            "labels": getattr(metadata, "labels", None) or {},
            "owners": _owners(getattr(metadata, "owner_references", None) or ()),
        }
        if not reconciled:
            return Entry(**common)
        status = found.status or _NO_STATUS
        return Entry(
            **common,
            deleting=metadata.deletion_timestamp is not None,
            requested=metadata.annotations.requested_at[:MAX_REQUEST_CHARACTERS] if metadata.annotations else "",
            answered=status.observed_generation,
            handled=status.last_handled_request,
            references=_references(found, references),
            selections=tuple(Selection(of, _walk(found, path)) for of, path in selectors),
            site=sys.intern(_walk(found, site_path) or "") if site_path else "",
            observed=tuple(Observed(sys.intern(o.kind), o.name, o.uid, o.version) for o in status.observed_references),
        )

    return keep


def _references(found: Any, declared: Sequence[tuple[str, tuple[str, ...]]]) -> tuple[Named, ...]:
    named = (Named(kind, name) for kind, path in declared if (name := _walk(found, path)))
    # Two fields may name the same object, which is observed once.
    return tuple(dict.fromkeys(named))


def _walk(found: Any, path: Iterable[str]) -> Any:
    for step in path:
        if found is None:
            return None
        found = getattr(found, step)
    return found


def _owners(references: Iterable[_Owner]) -> tuple[Named, ...]:
    return tuple(
        Named(sys.intern(owner.kind), owner.name)
        for owner in references
        if owner.controller and owner.api_version.partition("/")[0] == GROUP
    )
