from datetime import timedelta

import click
import pytest

from kraut_cli.state import describe, has_seen, is_observed, is_ready, is_settled
from kraut_cli.waiting import Duration


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("5m", 300), ("1h30m", 5400), ("0s", 0), ("1h1m1s", 3661)])
def test_durations(text, seconds):
    assert Duration().convert(text, None, None) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "5d", "1m1h", "-5m"])
def test_what_is_no_duration(text):
    with pytest.raises(click.BadParameter, match="expected a duration"):
        Duration().convert(text, None, None)


def host(*conditions, generation=2, observed=2, said_of=2):
    status = {
        "observedGeneration": observed,
        "conditions": [
            dict(zip(("type", "status", "reason", "message"), c, strict=True)) | {"observedGeneration": said_of}
            for c in conditions
        ],
    }
    return {"metadata": {"name": "web1", "generation": generation}, "status": status}


READY = ("Ready", "True", "Reachable", "answers")
UNREACHABLE = ("Ready", "Unknown", "ConnectionRefused", "nobody listens")
WORKING = ("Reconciling", "True", "Discovering", "is being asked")
STALLED = ("Stalled", "True", "HostKeyMismatch", "another key")


@pytest.mark.parametrize(
    ("item", "observed", "ready", "settled", "said"),
    [
        (
            {"metadata": {"name": "web1", "generation": 1}},
            False,
            False,
            False,
            "web1: kraut has not looked at it yet (is kraut-operator running?)",
        ),
        (host(READY), True, True, True, "web1: Ready"),
        (
            host(READY, observed=1),
            False,
            False,
            False,
            "web1: kraut has not looked at it yet (is kraut-operator running?)",
        ),
        (host(READY, WORKING), True, True, True, "web1: Discovering: is being asked"),
        (host(UNREACHABLE, WORKING), True, False, False, "web1: ConnectionRefused: nobody listens"),
        (
            host(("Ready", "False", "HostKeyMismatch", "another key"), STALLED),
            True,
            False,
            True,
            "web1: HostKeyMismatch: another key",
        ),
        (host(READY, WORKING, said_of=1), True, False, False, "web1: Discovering: is being asked"),
        (host(READY, STALLED), True, True, True, "web1: HostKeyMismatch: another key"),
    ],
)
def test_what_a_status_means_to_who_waits(item, observed, ready, settled, said):
    assert (is_observed(item), is_ready(item), is_settled(item), describe(item)) == (observed, ready, settled, said)


@pytest.mark.parametrize(
    ("seen", "answered"),
    [
        ({"uid": "u1", "version": "41"}, False),
        ({"uid": "u1", "version": "42"}, True),
        ({"uid": "u1", "version": "100"}, True),
        ({"uid": "u0", "version": "100"}, False),
        ({"uid": "", "version": ""}, False),
    ],
)
def test_a_status_answers_a_secret_only_as_it_was_written_or_later(seen, answered):
    item = host(READY)
    item["status"]["observedReferences"] = [{"kind": "Secret", "name": "web1-ssh", **seen}]
    assert has_seen(item, {"name": "web1-ssh", "uid": "u1", "resourceVersion": "42"}) is answered
    assert not has_seen(item, {"name": "other", "uid": "u1", "resourceVersion": "42"})
