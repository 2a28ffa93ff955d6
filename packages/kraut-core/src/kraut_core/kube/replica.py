"""The objects of a watch as the API server last told them (no IO): events in, typed changes out.

Only what the caller's msgspec Struct names is decoded and kept.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec

from kraut_core.errors import ApiServerError

INITIAL_EVENTS_END = "k8s.io/initial-events-end"

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON, text that is not UTF-8, and nesting without end."""

Key = tuple[str, str]
"""Namespace and name."""


class Kept(Protocol):
    """What is remembered of an object: at least which one it is, and its version."""

    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def uid(self) -> str: ...
    @property
    def resource_version(self) -> str: ...


T = TypeVar("T", bound=Kept)


@dataclass(frozen=True, slots=True)
class View(Generic[T]):
    """``shape``: the msgspec Struct that an object is decoded into, all of its fields with defaults except what every
    object has; ``keep`` makes of it what is remembered."""

    shape: type[Any]
    keep: Callable[[Any], T]


class Identity(msgspec.Struct, rename="camel", gc=False, frozen=True):
    """Which object it is, and its version; all that the plainest watch needs."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""


class IdentityShape(msgspec.Struct):
    """The shape that decodes nothing but the identity."""

    metadata: Identity


IDENTITIES: View[Identity] = View(IdentityShape, lambda found: found.metadata)


class Upserted(NamedTuple, Generic[T]):
    """An object is new or has changed; ``old`` is None when it is new. ``initial``: it is of the first state ever read, and not
    of one that was read again later, whose differences are changes that were missed."""

    new: T
    old: T | None
    initial: bool


class Deleted(NamedTuple, Generic[T]):
    """An object is gone; ``old`` is its last known state."""

    old: T


class Synced(NamedTuple):
    """Everything that existed has been told; comes again after each relist."""

    total: int


Change = Upserted[T] | Deleted[T] | Synced


class ExpiredError(ApiServerError):
    """The resourceVersion to resume from is no longer known (HTTP 410): everything must be read again."""

    default_reason = "Expired"


Version = Annotated[str, msgspec.Meta(min_length=1)]
"""Of a list or a bookmark: without one there is nothing to resume from, and what came with it is no state of anything."""


class _BookmarkMeta(msgspec.Struct, rename="camel"):
    resource_version: Version
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


class _BookmarkObject(msgspec.Struct):
    metadata: _BookmarkMeta


class _Bookmark(msgspec.Struct):
    object: _BookmarkObject


class _Status(msgspec.Struct):
    code: int = 0
    message: str = ""


class _Error(msgspec.Struct):
    object: _Status


class _Type(msgspec.Struct):
    type: str


class _Identified(msgspec.Struct):
    object: IdentityShape


class Replica(Generic[T]):
    """State of one watch. ``objects`` is the last complete state plus what changed since; ``resource_version`` resumes it."""

    def __init__(self, view: View[T]) -> None:
        self.objects: dict[Key, T] = {}
        self.resource_version = ""
        self.undecodable = 0
        self._complete = False
        self._arriving: dict[Key, T] | None = None
        event = msgspec.defstruct("Event", [("type", str), ("object", view.shape)])
        page_meta = msgspec.defstruct(
            "ListMeta",
            [("resource_version", Version), ("continue_", str, "")],
            rename={"resource_version": "resourceVersion", "continue_": "continue"},
        )
        page = msgspec.defstruct("Page", [("metadata", page_meta), ("items", list[msgspec.Raw])])
        self._event: msgspec.json.Decoder[Any] = msgspec.json.Decoder(event)
        self._page: msgspec.json.Decoder[Any] = msgspec.json.Decoder(page)
        self._object: msgspec.json.Decoder[Any] = msgspec.json.Decoder(view.shape)
        self._keep = view.keep
        self._bookmark = msgspec.json.Decoder(_Bookmark)
        self._error = msgspec.json.Decoder(_Error)
        self._type = msgspec.json.Decoder(_Type)
        self._identified = msgspec.json.Decoder(_Identified)

    @property
    def arriving(self) -> bool:
        """Whether a complete state is being read."""
        return self._arriving is not None

    def begin(self) -> None:
        """A complete state follows; the old one stands until ``complete``."""
        self._arriving = {}
        self.resource_version = ""
        self.undecodable = 0

    def take_page(self, body: bytes) -> str:
        """Take one page of a LIST; returns the token of the next one, empty for the last. Raises ApiServerError."""
        try:
            page = self._page.decode(body)
        except _UNREADABLE as error:
            raise ApiServerError(f"expected a list from the API server: {error}") from error
        assert self._arriving is not None  # noqa: S101 - begin() comes first
        for raw in page.items:
            self._take(raw)
        self.resource_version = page.metadata.resource_version
        return str(page.metadata.continue_)

    def _take(self, raw: msgspec.Raw) -> None:
        assert self._arriving is not None  # noqa: S101
        try:
            found = self._keep(self._object.decode(raw))
        except _UNREADABLE:
            self.undecodable += 1
            return
        if self._is_known(found):
            self._arriving[_key(found)] = found

    def _is_known(self, found: Kept) -> bool:
        if found.name and found.uid and found.resource_version:
            return True
        self.undecodable += 1
        return False

    def complete(self) -> list[Change[T]]:
        """What was read since ``begin`` becomes the state; returns what differs from the old one, then Synced."""
        arrived, self._arriving = self._arriving or {}, None
        initial, self._complete = not self._complete, True
        changes: list[Change[T]] = [Deleted(old) for key, old in self.objects.items() if key not in arrived]
        for key, new in arrived.items():
            old = self.objects.get(key)
            if old is None:
                changes.append(Upserted(new, None, initial=initial))
            elif _older(new, old):
                arrived[key] = old
            elif new.resource_version != old.resource_version:
                changes.append(Upserted(new, old, initial=initial))
        self.objects = arrived
        changes.append(Synced(len(arrived)))
        return changes

    def take_lines(self, lines: Iterable[bytes], changes: list[Change[T]] | None = None) -> list[Change[T]]:
        """Take watch events; appends to ``changes``, so that those before an error are not lost, and returns it.

        Raises ExpiredError (410) or ApiServerError (any other error event, or a line that is not one).
        """
        told = [] if changes is None else changes
        for line in lines:
            self._take_line(line, told)
        return told

    def _take_line(self, line: bytes, changes: list[Change[T]]) -> None:
        try:
            event = self._event.decode(line)
        except msgspec.ValidationError:
            self._take_odd(line, changes)
            return
        except _UNREADABLE as error:
            # The bytes are not shown: a proxy's answer may hold anything.
            raise ApiServerError("expected a watch event, found a line that is not JSON") from error
        if event.type in ("ADDED", "MODIFIED", "DELETED"):
            found = self._keep(event.object)
            if self._is_known(found):
                (self._delete if event.type == "DELETED" else self._upsert)(found, changes)
        else:
            self._take_odd(line, changes)

    def _take_odd(self, line: bytes, changes: list[Change[T]]) -> None:
        kind = self._kind_of(line)
        try:
            self._take_special(kind, line, changes)
        except _UNREADABLE as error:
            raise ApiServerError(f"expected a watch event, found one of type {kind} that is none: {error}") from error

    def _take_special(self, kind: str, line: bytes, changes: list[Change[T]]) -> None:
        if kind == "BOOKMARK":
            self._mark(self._bookmark.decode(line).object.metadata, changes)
        elif kind == "ERROR":
            status = self._error.decode(line).object
            message = f"the watch ended with an error: {status.code} {status.message[:512]}"
            raise (ExpiredError if status.code == 410 else ApiServerError)(message, status=status.code)
        elif kind == "DELETED":
            # Which object it was is all that is needed, whether or not the rest of it fits.
            self._delete_unfit(line, changes)
        elif kind in ("ADDED", "MODIFIED"):
            self.undecodable += 1
        else:
            raise ApiServerError("expected a watch event, found another JSON value")

    def _delete_unfit(self, line: bytes, changes: list[Change[T]]) -> None:
        try:
            gone = self._identified.decode(line).object.metadata
        except msgspec.ValidationError:
            self.undecodable += 1
            return
        if self._is_known(gone):
            self._delete(gone, changes)

    def _kind_of(self, line: bytes) -> str:
        try:
            return self._type.decode(line).type
        except _UNREADABLE:
            return ""

    def _mark(self, metadata: _BookmarkMeta, changes: list[Change[T]]) -> None:
        if self._arriving is None:
            self._advance(metadata.resource_version)
        elif metadata.annotations.get(INITIAL_EVENTS_END) == "true":
            self.resource_version = metadata.resource_version
            changes.extend(self.complete())

    def _upsert(self, new: T, changes: list[Change[T]]) -> None:
        key = _key(new)
        if self._arriving is not None:
            # Their versions are in no order: nothing to resume from before the bookmark.
            self._arriving[key] = new
            return
        if not self._advance(new.resource_version):
            return
        old = self.objects.get(key)
        if old is not None and _older(new, old):
            return
        self.objects[key] = new
        changes.append(Upserted(new, old, initial=False))

    def _delete(self, gone: Kept, changes: list[Change[T]]) -> None:
        key = _key(gone)
        if self._arriving is not None:
            self._arriving.pop(key, None)
            return
        if not self._advance(gone.resource_version):
            return
        old = self.objects.get(key)
        if old is not None and old.uid == gone.uid and not _older(gone, old):
            changes.append(Deleted(self.objects.pop(key)))

    def _advance(self, version: str) -> bool:
        """Resume after this version from now on; False when it is not beyond the last one.

        A watch tells everything once and in order, so that it was told before: it is repeated by whatever stands between.
        """
        if not _beyond(version, self.resource_version):
            return False
        self.resource_version = version
        return True


def _key(kept: Kept) -> Key:
    return kept.namespace, kept.name


def _older(new: Kept, old: Kept) -> bool:
    """Whether ``new`` is an earlier state of the same object."""
    return (
        new.uid == old.uid
        and new.resource_version != old.resource_version
        and not _beyond(new.resource_version, old.resource_version)
    )


def _beyond(version: str, other: str) -> bool:
    """Whether ``version`` is later (resourceVersions compare as integers, KEP-5504); of what is no number nothing is known."""
    if not (version.isdecimal() and other.isdecimal()):
        return True
    # As integers without leading zeros compare, of whatever length.
    return (len(version), version) > (len(other), other)
