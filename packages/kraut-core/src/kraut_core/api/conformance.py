"""What must hold of every status that kraut writes, as numbered checks for every test (pure).

After kstatus (https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus) and metav1.Condition, so that
``kubectl wait``, ``helm --wait`` and GitOps tools understand every object:

====  ==================================================================================
C1    ``Ready`` stands in every status
C2    ``Reconciling`` and ``Stalled`` stand only while they are True
C3    ``Reconciling`` and ``Stalled`` never stand together
C4    ``Reconciling`` and ``Stalled`` speak of the generation that the status answers
C5    a type stands once
C6    ``observedGeneration`` is not ahead of ``metadata.generation``, nor a condition's ahead of the status'
C7    a reason is a constant in CamelCase
C8    a message is a sentence: one line of several words, at most 1,024 characters
C9    nothing in the status looks like a secret
C10   ``lastTransitionTime`` moves exactly when the status of its condition changes
C11   ``observedGeneration`` never goes back
====  ==================================================================================

A host may be ``Ready`` (reachable and trusted) and ``Stalled`` (its updates failed too often) at once: kstatus looks at
``Stalled`` first. C10 and C11 need the same object as it was before.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

from kraut_core.api.conditions import MAX_MESSAGE_CHARACTERS, READY, RECONCILING, STALLED, find
from kraut_core.api.meta import Condition, ReconcileStatus, Resource
from kraut_core.redaction import looks_secret

AnyResource = Resource[Any, Any]

_REASON: Final = re.compile(r"[A-Z][A-Za-z0-9]*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def violations(resource: AnyResource, previous: AnyResource | None = None) -> list[str]:
    """A sentence, starting with its number, for each check that the status of ``resource`` fails; none is conformance.

    An object without a status conforms: kraut has not seen it yet. ``previous`` is the same object as it was before;
    one of another uid says nothing. Raises TypeError for a kind whose status has no conditions.
    """
    status = resource.status
    if status is None:
        return []
    if not isinstance(status, ReconcileStatus):
        raise TypeError(f"{resource.kind} has no conditions, so there is nothing to conform to")
    found = [f"{number} {sentence}" for number, check in _CHECKS.items() for sentence in check(resource, status)]
    before = previous.status if previous is not None and previous.metadata.uid == resource.metadata.uid else None
    if isinstance(before, ReconcileStatus):
        found += [f"{number} {sentence}" for number, step in _STEPS.items() for sentence in step(before, status)]
    return found


def assert_conformance(resource: AnyResource, previous: AnyResource | None = None) -> None:
    """Raise AssertionError, which lists every violation, unless there is none."""
    found = violations(resource, previous)
    if found:
        name = f"{resource.kind} {resource.metadata.namespace}/{resource.metadata.name}"
        raise AssertionError(f"the status of {name} does not conform:\n" + "\n".join(found))


def _ready_stands(_: AnyResource, status: ReconcileStatus) -> Iterator[str]:
    if find(status.conditions, READY) is None:
        yield "Ready stands in every status"


def _abnormal_only_while_true(_: AnyResource, status: ReconcileStatus) -> Iterator[str]:
    for condition in status.conditions:
        if condition.type in {RECONCILING, STALLED} and condition.status != "True":
            yield f"{condition.type} is absent unless it is True, found {condition.status}"


def _not_both(_: AnyResource, status: ReconcileStatus) -> Iterator[str]:
    if find(status.conditions, RECONCILING) and find(status.conditions, STALLED):
        yield "either kraut works on it (Reconciling) or it cannot (Stalled), found both"


def _abnormal_is_of_this_generation(_: AnyResource, status: ReconcileStatus) -> Iterator[str]:
    for condition in status.conditions:
        if condition.type in {RECONCILING, STALLED} and condition.observed_generation != status.observed_generation:
            yield f"{condition.type} speaks of generation {condition.observed_generation}, the status of {status.observed_generation}"


def _types_are_unique(_: AnyResource, status: ReconcileStatus) -> Iterator[str]:
    for type_, count in Counter(condition.type for condition in status.conditions).items():
        if count > 1:
            yield f"a type stands once, found {type_} {count} times"


def _generations_are_not_ahead(resource: AnyResource, status: ReconcileStatus) -> Iterator[str]:
    if status.observed_generation > resource.metadata.generation:
        yield f"observedGeneration {status.observed_generation} is ahead of generation {resource.metadata.generation}"
    for condition in status.conditions:
        if condition.observed_generation > status.observed_generation:
            yield f"observedGeneration {condition.observed_generation} of {condition.type} is ahead of the status' {status.observed_generation}"


def _reasons_are_constants(_: AnyResource, status: ReconcileStatus) -> Iterator[str]:
    for condition in status.conditions:
        if not _REASON.fullmatch(condition.reason):
            yield f"the reason of {condition.type} is a constant in CamelCase, found {condition.reason!r}"


def _messages_are_sentences(_: AnyResource, status: ReconcileStatus) -> Iterator[str]:
    for condition in status.conditions:
        message = condition.message
        if len(message.split()) < 2 or message != message.strip() or _CONTROL.search(message):
            yield f"the message of {condition.type} is a sentence on one line, found {message!r}"
        if len(message) > MAX_MESSAGE_CHARACTERS:
            yield f"the message of {condition.type} has {len(message)} characters, more than {MAX_MESSAGE_CHARACTERS}"


def _nothing_is_secret(_: AnyResource, status: ReconcileStatus) -> Iterator[str]:
    for path, text in _texts(status.model_dump(mode="json", by_alias=True), "status"):
        if looks_secret(text):
            yield f"{path} holds what looks like a secret"


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{path}[{index}]")


def _transitions_are_times_of_change(before: ReconcileStatus, after: ReconcileStatus) -> Iterator[str]:
    for condition in after.conditions:
        earlier = find(before.conditions, condition.type)
        if earlier is not None:
            yield from _transition(earlier, condition)


def _transition(earlier: Condition, later: Condition) -> Iterator[str]:
    moved = later.last_transition_time != earlier.last_transition_time
    if moved and later.status == earlier.status:
        yield f"lastTransitionTime of {later.type} moved, though it is still {later.status}"
    if later.last_transition_time < earlier.last_transition_time:
        yield f"lastTransitionTime of {later.type} went back"


def _generations_do_not_go_back(before: ReconcileStatus, after: ReconcileStatus) -> Iterator[str]:
    if after.observed_generation < before.observed_generation:
        yield f"observedGeneration went back from {before.observed_generation} to {after.observed_generation}"


_CHECKS: Final[dict[str, Callable[[AnyResource, ReconcileStatus], Iterator[str]]]] = {
    "C1": _ready_stands,
    "C2": _abnormal_only_while_true,
    "C3": _not_both,
    "C4": _abnormal_is_of_this_generation,
    "C5": _types_are_unique,
    "C6": _generations_are_not_ahead,
    "C7": _reasons_are_constants,
    "C8": _messages_are_sentences,
    "C9": _nothing_is_secret,
}

_STEPS: Final[dict[str, Callable[[ReconcileStatus, ReconcileStatus], Iterator[str]]]] = {
    "C10": _transitions_are_times_of_change,
    "C11": _generations_do_not_go_back,
}
