"""I5: at every instant no more hosts are disrupted than maxUnavailable allows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from kraut_lab.nemesis.checks.violation import Violation
from kraut_lab.nemesis.history import Event, History


@dataclass(frozen=True, slots=True)
class Span:
    """An operation that disrupts a host, by the host's own clock, and for kraut to know: see `_known`."""

    host: str
    operation: str
    since: float
    until: float


def check_budget(history: History) -> list[Violation]:
    """At the begin of every disruption, count the others.

    Of those others count the ones that kraut could know: begun while the Host object was there that is there still. What
    goes on on a machine whose object a person has deleted meanwhile is nobody's to count.
    """
    allowed = history.run["maxUnavailable"]
    spans = list(_spans(history))
    found = []
    for span in spans:
        others = {
            other.host
            for other in spans
            if other.host != span.host
            and (other.since, other.host) < (span.since, span.host)
            and span.since < other.until
            and _known(history, other, at=span.since)
        }
        if len(others) + 1 > allowed:
            message = f"{span.operation} began on {span.host} while {sorted(others)} were disrupted; {allowed} may be"
            found.append(Violation("I5", message))
    return found


def _spans(history: History) -> Iterator[Span]:
    last = {(event["host"], event["operation"]): event for event in history.of("operation")}
    for (host, operation), event in last.items():
        if event["claimed"] is None:
            continue
        yield Span(host, operation, event["claimed"], _end(history, event))


def _end(history: History, event: Event) -> float:
    """A reboot disrupts until the next boot, anything else until its result; a boot ends everything."""
    boots = [boot["t"] for boot in history.of("boot", host=event["host"]) if boot["t"] > event["claimed"]]
    ends = boots if event["type"] == "Reboot" and event["exitCode"] in (0, None) else [*boots, event["ended"]]
    return min((end for end in ends if end is not None), default=float("inf"))


def _known(history: History, span: Span, *, at: float) -> bool:
    """Whether one and the same object of the host was there from the begin of the span until ``at``."""
    for event in history.of("object"):
        found = event["object"]
        if found["kind"] != "Host" or found["metadata"]["name"] != span.host:
            continue
        created = datetime.fromisoformat(found["metadata"]["creationTimestamp"]).timestamp()
        if event["type"] == "DELETED" and span.since <= event["t"] <= at:
            return False
        # Times of creation are cut to whole seconds.
        if span.since < created + 1 and created <= at:
            return False
    return True
