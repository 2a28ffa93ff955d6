"""Kinds for tests only: they show that the operator is generic, and nothing of kraut's own kinds."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from kraut_core.api.kinds import Kind, Reference, Selector
from kraut_core.api.meta import LocalObjectReference, ReconcileStatus, Resource, WireModel


class PoolSpec(WireModel):
    """A pool selects members, and may name a second secret."""

    selector: dict[str, dict[str, str]] | None = Field(default=None, description="Members.")
    token_ref: LocalObjectReference | None = Field(default=None, description="A secret.")


class Pool(Resource[PoolSpec, ReconcileStatus]):
    """Selects members and owns tasks."""

    KIND: ClassVar[str] = "Pool"
    kind: Literal["Pool"] = "Pool"


class PlainSpec(WireModel):
    """Anything."""

    size: int = Field(default=0, description="A number.")


class Member(Resource[PlainSpec, ReconcileStatus]):
    """Is selected."""

    KIND: ClassVar[str] = "Member"
    kind: Literal["Member"] = "Member"


class Task(Resource[PlainSpec, ReconcileStatus]):
    """Is owned by a pool."""

    KIND: ClassVar[str] = "Task"
    kind: Literal["Task"] = "Task"


def declare(model: type[Resource[Any, Any]], plural: str, **about: Any) -> Kind:
    return Kind(model=model, plural=plural, short_names=(), columns=(), **about)


POOL = declare(
    Pool,
    "pools",
    reconciled=True,
    references=(Reference(("spec", "tokenRef", "name"), "Secret", "resourceVersion"),),
    selectors=(Selector(("spec", "selector"), "Member"),),
    owns=("Task",),
)
MEMBER = declare(Member, "members", reconciled=False)
TASK = declare(Task, "tasks", reconciled=False)
KINDS = (MEMBER, POOL, TASK)
