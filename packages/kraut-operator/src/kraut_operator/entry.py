"""What the operator remembers of an object: enough to tell whether its workflow must be woken, and no more."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from kraut_core.api.labels import LabelSelector


class ObjectKey(NamedTuple):
    """One object of the home cluster."""

    kind: str
    namespace: str
    name: str


class Named(NamedTuple):
    """An object that another one names, in the same namespace."""

    kind: str
    name: str


class Observed(NamedTuple):
    """A referenced object as the workflow last saw it (``status.observedReferences``); empty strings: there was none."""

    kind: str
    name: str
    uid: str
    version: str


class Selection(NamedTuple):
    """A label selector of the spec; None where the field is absent."""

    kind: str
    selector: LabelSelector | None


class Entry(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One object. Of kinds that are only referred to, everything after ``owners`` stays empty.

    ``requested`` is the value of the annotation kraut.dev/requested-at; ``answered`` and ``handled`` are the status'
    observedGeneration (0: no status yet) and lastHandledRequest. ``site`` is what the kind's ``site_path`` leads to.
    """

    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int = 0
    labels: Mapping[str, str] = {}
    owners: tuple[Named, ...] = ()
    deleting: bool = False
    requested: str = ""
    answered: int = 0
    handled: str = ""
    references: tuple[Named, ...] = ()
    selections: tuple[Selection, ...] = ()
    observed: tuple[Observed, ...] = ()
    site: str = ""

    @property
    def key(self) -> ObjectKey:
        """Which object it is."""
        return ObjectKey(self.kind, self.namespace, self.name)
