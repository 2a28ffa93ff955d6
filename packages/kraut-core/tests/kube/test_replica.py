"""What becomes of watch events: nothing is lost, nothing goes back, nothing is told twice."""

import json
from typing import Any

import msgspec
import pytest

from kraut_core.errors import ApiServerError
from kraut_core.kube.replica import IDENTITIES, Deleted, ExpiredError, Identity, Replica, Synced, Upserted, View


def manifest(name: str, version: int, uid: str | None = None) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "n", "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"big": ["ignored"] * 3}}


def event(kind: str, name: str, version: int, uid: str | None = None) -> bytes:
    return json.dumps({"type": kind, "object": manifest(name, version, uid)}).encode()


def bookmark(version: int, *, end: bool = False) -> bytes:
    annotations = {"k8s.io/initial-events-end": "true"} if end else {}
    metadata = {"resourceVersion": str(version), "annotations": annotations}
    return json.dumps({"type": "BOOKMARK", "object": {"kind": "Host", "metadata": metadata}}).encode()


def error(code: int) -> bytes:
    status = {"kind": "Status", "status": "Failure", "code": code, "message": "why", "metadata": {}}
    return json.dumps({"type": "ERROR", "object": status}).encode()


def identity(name: str, version: int, uid: str | None = None) -> Identity:
    return Identity(name=name, namespace="n", uid=uid or f"uid-{name}", resource_version=str(version))


def synced(*objects: tuple[str, int]) -> Replica[Identity]:
    replica = Replica(IDENTITIES)
    replica.begin()
    replica.take_lines([*(event("ADDED", name, version) for name, version in objects), bookmark(100, end=True)])
    return replica


def test_the_first_state_is_told_at_the_bookmark_and_not_before() -> None:
    replica = Replica(IDENTITIES)
    replica.begin()
    assert replica.take_lines([event("ADDED", "a", 7), event("ADDED", "b", 3), bookmark(50)]) == []
    assert (replica.objects, replica.resource_version, replica.arriving) == ({}, "", True)
    assert replica.take_lines([bookmark(100, end=True), event("MODIFIED", "a", 101)]) == [
        Upserted(identity("a", 7), None, initial=True),
        Upserted(identity("b", 3), None, initial=True),
        Synced(2),
        Upserted(identity("a", 101), identity("a", 7), initial=False),
    ]
    assert (replica.resource_version, replica.arriving) == ("101", False)


def test_changes_that_come_before_the_bookmark_are_part_of_the_first_state() -> None:
    replica = Replica(IDENTITIES)
    replica.begin()
    lines = [event("ADDED", "a", 7), event("ADDED", "b", 8), event("MODIFIED", "a", 9), event("DELETED", "b", 10)]
    assert replica.take_lines([*lines, bookmark(11, end=True)]) == [
        Upserted(identity("a", 9), None, initial=True),
        Synced(1),
    ]


def test_reading_again_tells_only_what_differs_and_the_old_state_stands_until_then() -> None:
    replica = synced(("same", 1), ("changed", 2), ("gone", 3))
    replica.begin()
    replica.take_lines([event("ADDED", "same", 1), event("ADDED", "changed", 120), event("ADDED", "new", 130)])
    assert {name for _, name in replica.objects} == {"same", "changed", "gone"}
    assert replica.take_lines([bookmark(140, end=True)]) == [
        Deleted(identity("gone", 3)),
        Upserted(identity("changed", 120), identity("changed", 2), initial=False),
        Upserted(identity("new", 130), None, initial=False),
        Synced(3),
    ]


def test_an_object_that_was_recreated_while_nobody_watched_is_a_change() -> None:
    replica = synced(("a", 50))
    replica.begin()
    replica.take_lines([event("ADDED", "a", 120, uid="other")])
    assert replica.take_lines([bookmark(121, end=True)]) == [
        Upserted(identity("a", 120, "other"), identity("a", 50), initial=False),
        Synced(1),
    ]


def test_a_list_in_pages_does_the_same() -> None:
    replica = synced(("a", 1), ("gone", 2))
    replica.begin()
    page = {"metadata": {"resourceVersion": "200", "continue": "token"}, "items": [manifest("a", 1)]}
    assert replica.take_page(json.dumps(page).encode()) == "token"
    page = {"metadata": {"resourceVersion": "200"}, "items": [manifest("b", 150)]}
    assert replica.take_page(json.dumps(page).encode()) == ""
    assert replica.complete() == [
        Deleted(identity("gone", 2)),
        Upserted(identity("b", 150), None, initial=False),
        Synced(2),
    ]
    assert replica.resource_version == "200"


@pytest.mark.fault(row=5, fault="stale LIST", invariants=("I2",))
def test_versions_of_one_object_never_go_back() -> None:
    replica = synced(("a", 90))
    assert replica.take_lines([event("MODIFIED", "a", 110), event("MODIFIED", "a", 105)])[1:] == []
    assert replica.take_lines([event("DELETED", "a", 104)]) == []
    assert replica.objects["n", "a"].resource_version == "110"
    assert replica.resource_version == "110"
    replica.begin()
    replica.take_lines([event("ADDED", "a", 107), bookmark(108, end=True)])
    assert replica.objects["n", "a"].resource_version == "110"


@pytest.mark.fault(row=5, fault="stale LIST", invariants=("I11",))
def test_a_deletion_of_the_object_before_does_not_delete_its_successor() -> None:
    replica = synced(("a", 90))
    replica.take_lines([event("DELETED", "a", 101), event("ADDED", "a", 102, uid="new")])
    assert replica.take_lines([event("DELETED", "a", 103, uid="uid-a")]) == []
    assert replica.objects["n", "a"].uid == "new"


@pytest.mark.fault(row=5, fault="repeated events", invariants=("I2", "I11"))
def test_events_that_come_again_bring_nothing_back_and_move_nothing_back() -> None:
    replica = synced(("a", 90), ("b", 95))
    told = [event("MODIFIED", "a", 101), event("DELETED", "a", 102)]
    assert replica.take_lines(told) == [
        Upserted(identity("a", 101), identity("a", 90), initial=False),
        Deleted(identity("a", 101)),
    ]
    again = [told[1], told[0], event("ADDED", "a", 90), event("DELETED", "b", 95), bookmark(101), bookmark(102)]
    assert replica.take_lines(again) == []
    assert (set(replica.objects), replica.resource_version) == ({("n", "b")}, "102")


def test_an_event_of_no_interest_moves_the_place_to_resume_from() -> None:
    replica = synced(("a", 90))
    replica.take_lines([event("DELETED", "stranger", 101)])
    assert replica.resource_version == "101"
    replica.take_lines([event("DELETED", "a", 102, uid="an earlier a")])
    assert (set(replica.objects), replica.resource_version) == ({("n", "a")}, "102")


def test_versions_that_are_no_numbers_are_taken_in_the_order_in_which_they_come() -> None:
    replica = Replica(IDENTITIES)
    replica.begin()
    lines = [event("ADDED", "a", 0).replace(b'"0"', b'"b-2"'), bookmark(0, end=True).replace(b'"0"', b'"b-3"')]
    replica.take_lines(lines)
    assert len(replica.take_lines([event("MODIFIED", "a", 0).replace(b'"0"', b'"a-1"')])) == 1
    assert replica.resource_version == "a-1"


def test_versions_compare_as_integers_of_any_length() -> None:
    replica = synced(("a", 90))
    endless = "9" * 5000
    lines = [
        event("MODIFIED", "a", 999),
        event("MODIFIED", "a", 1000),
        event("MODIFIED", "a", 1).replace(b'"1"', b'"%s"' % endless.encode()),
    ]
    assert len(replica.take_lines(lines)) == 3
    assert (replica.take_lines([event("MODIFIED", "a", 1001)]), replica.resource_version) == ([], endless)


def test_a_deletion_tells_the_state_that_was_known_before() -> None:
    """Whoever keeps an index by what an object says finds it by what it said, whatever was missed since."""
    replica = synced(("a", 90))
    assert replica.take_lines([event("DELETED", "a", 105)]) == [Deleted(identity("a", 90))]


class _Sized(msgspec.Struct):
    size: int = 0


class _SizedShape(msgspec.Struct):
    metadata: Identity
    spec: _Sized


def test_the_deletion_of_an_object_that_does_not_fit_any_more_is_a_deletion() -> None:
    replica = Replica(View(_SizedShape, lambda found: found.metadata))
    replica.begin()
    fits = {**manifest("a", 90), "spec": {"size": 1}}
    replica.take_lines([json.dumps({"type": "ADDED", "object": fits}).encode(), bookmark(100, end=True)])
    odd = {**manifest("a", 101), "spec": {"size": "large"}}
    assert replica.take_lines([json.dumps({"type": "DELETED", "object": odd}).encode()]) == [Deleted(identity("a", 90))]
    assert (replica.objects, replica.resource_version, replica.undecodable) == ({}, "101", 0)


def test_bookmarks_move_the_place_to_resume_from() -> None:
    replica = synced(("a", 1))
    assert replica.take_lines([bookmark(500)]) == []
    assert replica.resource_version == "500"


def test_an_expired_version_is_told_apart_from_other_errors() -> None:
    replica = synced(("a", 1))
    with pytest.raises(ExpiredError):
        replica.take_lines([error(410)])
    with pytest.raises(ApiServerError) as caught:
        replica.take_lines([error(500)])
    assert (type(caught.value), caught.value.status) == (ApiServerError, 500)


@pytest.mark.parametrize(
    "line", [b"<html>bad gateway</html>", b"{", b'"text"', b"[1]", b'{"kind":"Status"}', b"\xff\xfe"]
)
def test_what_is_not_an_event_is_a_transport_error_and_is_not_shown(line: bytes) -> None:
    with pytest.raises(ApiServerError, match="expected a watch event") as caught:
        synced(("a", 1)).take_lines([line])
    assert "gateway" not in str(caught.value)


def test_an_object_that_does_not_fit_hides_no_other() -> None:
    replica = synced(("a", 1))
    odd = json.dumps({"type": "MODIFIED", "object": {"metadata": {"name": 5}}}).encode()
    changes = replica.take_lines([odd, event("MODIFIED", "a", 101)])
    assert [type(change) for change in changes] == [Upserted]
    assert replica.undecodable == 1


def test_events_of_an_earlier_state_that_was_left_half_read_are_forgotten() -> None:
    replica = Replica(IDENTITIES)
    replica.begin()
    replica.take_lines([event("ADDED", "half", 1)])
    replica.begin()
    assert replica.take_lines([bookmark(9, end=True)]) == [Synced(0)]
