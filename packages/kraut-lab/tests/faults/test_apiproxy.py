"""The lying API server tells the truth until it lies, and lies as it says."""

import http.client
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from kraut_lab.controlplane import ControlPlane
from kraut_lab.faults.apiproxy import LyingApiServer

pytestmark = pytest.mark.integration

_numbers = itertools.count()


class Client:
    """Asks through the proxy, as the operator, which may watch Hosts, or as the worker, which may read one."""

    def __init__(self, proxy: LyingApiServer, plane: ControlPlane) -> None:
        self._address = proxy.url.removeprefix("http://")
        self._tokens = {name: plane.token(name) for name in ("operator", "worker")}

    def get(self, path: str) -> tuple[int, Any]:
        with self._asked("operator" if "watch" in path else "worker", path) as answer:
            return answer.status, json.loads(answer.read())

    @contextmanager
    def _asked(self, identity: str, path: str) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(self._address, timeout=120)
        try:
            headers = {"Authorization": f"Bearer {self._tokens[identity]}"}
            connection.request("GET", path, headers=headers)
            yield connection.getresponse()
        finally:
            connection.close()

    @contextmanager
    def watch(self, path: str) -> Iterator[Iterator[tuple[str, str]]]:
        """Types and names of events from the collection's whole state on; the bookmark after it is BOOKMARK, the only one told."""
        query = "watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
        with self._asked("operator", f"{path}?{query}") as answer:
            assert answer.status == 200
            yield self._events(answer)

    @staticmethod
    def _events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, str]]:
        synced = False
        while line := answer.readline():
            event = json.loads(line)
            # Later ones come when the API server feels like it, on a slow machine in the middle of a test.
            if event["type"] != "BOOKMARK" or not synced:
                yield event["type"], event["object"]["metadata"].get("name", "")
            synced = synced or event["type"] == "BOOKMARK"


@pytest.fixture
def hosts(control_plane: ControlPlane) -> str:
    """The collection of Hosts of a namespace of the test's own."""
    name = f"lies-{next(_numbers)}"
    control_plane.admin.create("/api/v1/namespaces", {"metadata": {"name": name}})
    return f"/apis/kraut.dev/v1alpha1/namespaces/{name}/hosts"


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[LyingApiServer]:
    with LyingApiServer.in_front_of(control_plane) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: LyingApiServer, control_plane: ControlPlane) -> Client:
    return Client(proxy, control_plane)


def create(plane: ControlPlane, hosts: str, name: str) -> None:
    spec = {"address": "192.0.2.1", "credentialsRef": {"name": "key"}, "hostKeyPolicy": "TrustOnFirstUse"}
    body = {"apiVersion": "kraut.dev/v1alpha1", "kind": "Host", "metadata": {"name": name}, "spec": spec}
    assert plane.admin.create(hosts, body) is not None


def label(plane: ControlPlane, hosts: str, name: str, value: str) -> None:
    body = {"apiVersion": "kraut.dev/v1alpha1", "kind": "Host", "metadata": {"name": name, "labels": {"v": value}}}
    plane.admin.apply_as("test", f"{hosts}/{name}", body)


def until_synced(events: Iterator[tuple[str, str]]) -> list[str]:
    return [name for _, name in itertools.takewhile(lambda event: event[0] != "BOOKMARK", events)]


def test_events_are_dropped_and_repeated(
    proxy: LyingApiServer, client: Client, control_plane: ControlPlane, hosts: str
) -> None:
    create(control_plane, hosts, "a")
    with client.watch(hosts) as events:
        assert until_synced(events) == ["a"]
        with proxy.lies.dropping(lambda kind, found: kind == "ADDED" and found["metadata"]["name"] == "b") as dropped:
            create(control_plane, hosts, "b")
            create(control_plane, hosts, "c")
            assert next(events) == ("ADDED", "c")
        assert dropped.times == 1
        with proxy.lies.repeating():
            label(control_plane, hosts, "c", "1")
            assert list(itertools.islice(events, 3)) == [("MODIFIED", "c"), ("MODIFIED", "c"), ("ADDED", "c")]
        label(control_plane, hosts, "b", "1")
        assert next(events) == ("MODIFIED", "b")


def test_a_line_is_cut_in_its_middle(
    proxy: LyingApiServer, client: Client, control_plane: ControlPlane, hosts: str
) -> None:
    with client.watch(hosts) as events:
        assert until_synced(events) == []
        with proxy.lies.cutting(hosts):
            create(control_plane, hosts, "a")
            with pytest.raises((ConnectionError, http.client.IncompleteRead, json.JSONDecodeError)):
                next(events)


def test_the_past_is_told_for_the_present(
    proxy: LyingApiServer, client: Client, control_plane: ControlPlane, hosts: str
) -> None:
    create(control_plane, hosts, "a")
    with client.watch(hosts) as events:
        assert until_synced(events) == ["a"]
        create(control_plane, hosts, "b")
        assert next(events) == ("ADDED", "b")
        with proxy.lies.listing_from_the_past(hosts) as told:
            proxy.cut_watches(hosts)
            assert list(events) == []
            assert client.get(f"{hosts}?watch=true&resourceVersion=1")[0] == 410
            with client.watch(hosts) as lied_to:
                assert until_synced(lied_to) == ["a"]
    assert told.times == 1
    with client.watch(hosts) as events:
        assert until_synced(events) == ["a", "b"]


def test_an_object_is_answered_as_it_was(
    proxy: LyingApiServer, client: Client, control_plane: ControlPlane, hosts: str
) -> None:
    create(control_plane, hosts, "a")
    before = client.get(f"{hosts}/a")[1]
    label(control_plane, hosts, "a", "1")
    with proxy.lies.answering_from_the_past(f"{hosts}/a") as told:
        assert client.get(f"{hosts}/a") == (200, before)
    assert told.times == 1
    assert client.get(f"{hosts}/a")[1]["metadata"]["labels"] == {"v": "1"}
