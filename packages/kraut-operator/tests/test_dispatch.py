"""When a workflow must be woken: a table of situations and their answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from kraut_operator.dispatch import ABSENT, Version, decide
from kraut_operator.entry import Entry, Named, Observed, Selection

SECRET = Named("Secret", "s")
POLICY = Named("UpgradePolicy", "p")


@dataclass
class View:
    """What is known of other objects; a kind in ``unsynced`` is still being read."""

    versions: dict[Named, Version] = field(default_factory=dict)
    members: dict[Named, Version] = field(default_factory=dict)
    unsynced: tuple[str, ...] = ()

    def version(self, target: Named, namespace: str) -> Version | None:
        return None if target.kind in self.unsynced else self.versions.get(target, ABSENT)

    def selected(self, entry: Entry) -> Mapping[Named, Version] | None:
        return None if any(s.kind in self.unsynced for s in entry.selections) else self.members


def subject(**more: Any) -> Entry:
    settled = {"generation": 3, "answered": 3, **more}
    return Entry(kind="Host", namespace="n", name="h", uid="u", resource_version="9", **settled)


def observed(target: Named, uid: str, version: str) -> Observed:
    return Observed(*target, uid, version)


SEEN = View({SECRET: ("su", "7"), POLICY: ("pu", "2")})
SAW_BOTH = (observed(SECRET, "su", "7"), observed(POLICY, "pu", "2"))
BOTH = (SECRET, POLICY)
MEMBERS = (Selection("Member", None),)
MEMBER = Named("Member", "m")


@pytest.mark.parametrize(
    ("situation", "entry", "view", "reason"),
    [
        ("answered, refers to nothing", subject(), View(), None),
        ("never answered", subject(answered=0), View(), "Initial"),
        ("spec changed since the answer", subject(generation=4), View(), "Spec"),
        ("status answers a later generation than the cache has", subject(answered=5), View(), "Spec"),
        ("being deleted", subject(deleting=True), View(), "Deleted"),
        ("being deleted goes before everything", subject(deleting=True, answered=0, requested="x"), View(), "Deleted"),
        ("a person asked", subject(requested="now"), View(), "Requested"),
        ("a person asked again", subject(requested="now", handled="before"), View(), "Requested"),
        ("the request was handled", subject(requested="now", handled="now"), View(), None),
        ("the request was taken back", subject(handled="before"), View(), None),
        ("asked and changed: the request is told", subject(requested="now", generation=4), View(), "Requested"),
        ("references as observed", subject(references=BOTH, observed=SAW_BOTH), SEEN, None),
        (
            "a secret has another version",
            subject(references=BOTH, observed=(observed(SECRET, "su", "6"), SAW_BOTH[1])),
            SEEN,
            "Reference",
        ),
        (
            "a secret was deleted and created again",
            subject(references=BOTH, observed=(observed(SECRET, "old", "7"), SAW_BOTH[1])),
            SEEN,
            "Reference",
        ),
        ("a secret is gone", subject(references=BOTH, observed=SAW_BOTH), View({POLICY: ("pu", "2")}), "Reference"),
        (
            "a secret was missing and still is",
            subject(references=(SECRET,), observed=(observed(SECRET, "", ""),)),
            View(),
            None,
        ),
        (
            "a missing secret was created",
            subject(references=(SECRET,), observed=(observed(SECRET, "", ""),)),
            SEEN,
            "Reference",
        ),
        ("the answer does not mention a reference", subject(references=BOTH, observed=SAW_BOTH[:1]), SEEN, "Reference"),
        ("nor one that does not exist", subject(references=(SECRET,)), View(), "Reference"),
        ("the answer mentions what is no longer referred to", subject(observed=SAW_BOTH), SEEN, None),
        (
            "secrets are still being read",
            subject(references=BOTH, observed=(SAW_BOTH[1],)),
            View(SEEN.versions, unsynced=("Secret",)),
            None,
        ),
        (
            "secrets are still being read, the policy changed",
            subject(references=BOTH, observed=(observed(POLICY, "pu", "1"),)),
            View(SEEN.versions, unsynced=("Secret",)),
            "Reference",
        ),
        (
            "a new member is selected",
            subject(selections=MEMBERS),
            View(members={MEMBER: ("mu", "1")}),
            "Reference",
        ),
        (
            "the members are as observed",
            subject(selections=MEMBERS, observed=(observed(MEMBER, "mu", "1"),)),
            View(members={MEMBER: ("mu", "1")}),
            None,
        ),
        (
            "a member is selected no more",
            subject(selections=MEMBERS, observed=(observed(MEMBER, "mu", "1"),)),
            View(),
            "Reference",
        ),
        (
            "members are still being read",
            subject(selections=MEMBERS, observed=(observed(MEMBER, "mu", "1"),)),
            View(unsynced=("Member",)),
            None,
        ),
    ],
)
def test_the_reason_to_wake_a_workflow(situation: str, entry: Entry, view: View, reason: str | None) -> None:
    found = decide(entry, view)
    assert (found.reason if found is not None else None) == reason, situation
    if found is not None:
        assert (found.uid, found.generation) == (entry.uid, entry.generation)


def test_the_same_world_needs_one_signal_whatever_the_reason() -> None:
    before = decide(subject(answered=0, references=(SECRET,)), SEEN)
    first_answer = decide(subject(references=(SECRET,)), SEEN)
    assert before is not None
    assert first_answer is not None
    assert (before.reason, first_answer.reason) == ("Initial", "Reference")
    assert before.world == first_answer.world


@pytest.mark.parametrize(
    ("changed", "view"),
    [
        (subject(answered=0, generation=4, references=(SECRET,)), SEEN),
        (subject(answered=0, references=(SECRET,), requested="now"), SEEN),
        (subject(answered=0, references=(SECRET,), deleting=True), SEEN),
        (subject(answered=0, references=(SECRET,)), View({SECRET: ("su", "8")})),
    ],
)
def test_another_world_needs_another_signal(changed: Entry, view: View) -> None:
    before, after = decide(subject(answered=0, references=(SECRET,)), SEEN), decide(changed, view)
    assert before is not None
    assert after is not None
    assert before.world != after.world
