"""I11: deletion completes once, and leaves nothing."""

from __future__ import annotations

from kraut_lab.nemesis.checks.violation import Violation
from kraut_lab.nemesis.history import Event, History


def check_deletion(history: History) -> list[Violation]:
    """Each object is gone once, and in the end all objects and all that kraut left on the machines are gone."""
    return [*_after_the_end(history), *_left(history)]


def _after_the_end(history: History) -> list[Violation]:
    """Told by resourceVersion: a watch that begins again may tell an old version once more."""
    events = [event for event in history.of("object") if event["object"]["kind"] == "Host"]
    gone: dict[str, int] = {}
    found = []
    for event in sorted(events, key=_version):
        uid = event["object"]["metadata"]["uid"]
        if _version(event) > gone.get(uid, _version(event)):
            name = event["object"]["metadata"]["name"]
            found.append(Violation("I11", f"{event['type']} of {name} ({uid}, {_version(event)}) after it was deleted"))
        if event["type"] == "DELETED":
            gone.setdefault(uid, _version(event))
    return found


def _version(event: Event) -> int:
    return int(event["object"]["metadata"]["resourceVersion"])


def _left(history: History) -> list[Violation]:
    left = {event["host"]: event for event in history.of("left")}
    found = [
        Violation("I11", f"{host} was not looked at after its Host was deleted")
        for host in history.run["hosts"]
        if host not in left
    ]
    for host, event in left.items():
        if event["object"] is not None:
            found.append(Violation("I11", f"{host}: its Host was deleted, and there is one again: {event['object']}"))
        if event["folder"]:
            found.append(Violation("I11", f"{host}: its Host was deleted, and {event['folder']} is still there"))
    return found
