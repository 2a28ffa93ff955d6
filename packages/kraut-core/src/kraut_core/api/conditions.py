"""The vocabulary of conditions, and how a set of them is computed (pure).

kstatus (https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus): ``Ready`` always stands;
``Reconciling`` and ``Stalled`` are abnormal-true and absent while they would be False, so that
``kubectl wait`` and ``helm --wait`` understand every kraut object.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from kraut_core.api.meta import Condition

READY = "Ready"
RECONCILING = "Reconciling"
STALLED = "Stalled"

Status = Literal["True", "False", "Unknown"]

MAX_MESSAGE_CHARACTERS = 1024
"""Longer messages are cut: a status is read by people and stored in etcd, output belongs into logs."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a condition is to say; times and generations are added when it is set."""

    type: str
    status: Status
    reason: str
    message: str


def set_conditions(
    previous: Sequence[Condition],
    verdicts: Iterable[Verdict],
    *,
    generation: int,
    now: datetime,
    keep: Iterable[str] = (),
) -> list[Condition]:
    """Return the conditions for ``verdicts``, sorted by type.

    ``lastTransitionTime`` moves only when the status of a type changes (metav1.Condition). A type without a verdict is
    dropped, unless it is one of ``keep``: then it stays as it was, with the ``observedGeneration`` that it speaks of, so
    that ``kubectl wait --for=condition`` does not take what was true of an older spec for an answer to the present one.
    """
    before = {condition.type: condition for condition in previous}
    found = {
        verdict.type: _condition(verdict, before.get(verdict.type), generation=generation, now=now)
        for verdict in verdicts
    }
    kept = {type_: before[type_] for type_ in keep if type_ in before}
    return sorted((kept | found).values(), key=lambda condition: condition.type)


def _condition(verdict: Verdict, before: Condition | None, *, generation: int, now: datetime) -> Condition:
    unchanged = before is not None and before.status == verdict.status
    return Condition(
        type=verdict.type,
        status=verdict.status,
        observed_generation=generation,
        last_transition_time=before.last_transition_time if before is not None and unchanged else now,
        reason=verdict.reason,
        message=_cut(verdict.message),
    )


def _cut(message: str) -> str:
    if len(message) <= MAX_MESSAGE_CHARACTERS:
        return message
    return message[: MAX_MESSAGE_CHARACTERS - 1] + "…"


def find(conditions: Iterable[Condition], type_: str) -> Condition | None:
    """The condition of that type, or None."""
    return next((condition for condition in conditions if condition.type == type_), None)


def is_true(conditions: Iterable[Condition], type_: str) -> bool:
    """Whether the condition of that type stands and is True."""
    condition = find(conditions, type_)
    return condition is not None and condition.status == "True"
