"""What every kraut resource has: the wire format, metadata, conditions and references."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Generic, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    Strict,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel

GROUP = "kraut.dev"
VERSION = "v1alpha1"
API_VERSION: Final = "kraut.dev/v1alpha1"

REQUESTED_AT = f"{GROUP}/requested-at"
"""Annotation: reconcile, or retry, now. Value: any string that differs from the last one handled; by habit an RFC 3339 time."""


TIME_PATTERN: Final = (
    r"^[12][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})$"
)


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def _timestamp(value: Any) -> Any:
    """Refuse what pydantic would take for a time and the API server does not: numbers, dates, times without a zone."""
    if isinstance(value, datetime) or (isinstance(value, str) and re.fullmatch(TIME_PATTERN.rstrip("$"), value)):
        return value
    raise ValueError(f"expected a time as in RFC 3339, 2026-01-31T22:00:00Z, found {value!r}")


def _zoned(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"expected a time with a zone, found {moment.isoformat()}")
    return moment


Time = Annotated[
    datetime,
    BeforeValidator(_timestamp),
    AfterValidator(_zoned),
    PlainSerializer(_rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": TIME_PATTERN, "maxLength": 32}),
]
"""A moment as Kubernetes' metav1.Time: RFC 3339, UTC, whole seconds."""


Integer = Annotated[int, Strict()]
"""An integer as the API server takes it: neither ``"22"`` nor ``true``."""

Boolean = Annotated[bool, Strict()]
"""A boolean as the API server takes it: neither ``"yes"`` nor ``1``."""


class WireModel(BaseModel):
    """camelCase on the wire, snake_case in Python; unknown fields are refused, as ``fieldValidation=Strict`` does."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _as_the_api_server(cls, value: Any) -> Any:
        """Nulls of known fields are absent fields, and 22.0 is 22: so the API server reads JSON before it validates."""
        if not isinstance(value, dict):
            return value
        known = {name for key, field in cls.model_fields.items() for name in (key, field.alias)}
        return {key: _whole(item) for key, item in value.items() if item is not None or key not in known}


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


class ObservedModel(WireModel):
    """What kraut itself wrote: a newer version's fields are ignored rather than refused, so that a downgrade can read it."""

    model_config = ConfigDict(extra="ignore")


class ObjectMeta(ObservedModel):
    """The part of metav1.ObjectMeta that kraut reads; everything else passes by unseen and unwritten."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: Integer = 0
    deletion_timestamp: Time | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: list[str] = Field(default_factory=list)


class Condition(ObservedModel):
    """metav1.Condition: https://pkg.go.dev/k8s.io/apimachinery/pkg/apis/meta/v1#Condition."""

    type: str = Field(
        max_length=316, pattern=r"^[A-Z][A-Za-z0-9]*$", description="The aspect of the object, in CamelCase."
    )
    status: Literal["True", "False", "Unknown"] = Field(description="One of True, False, Unknown.")
    observed_generation: Integer = Field(
        default=0, ge=0, description="The metadata.generation that the condition was set for."
    )
    last_transition_time: Time = Field(description="When the status last changed.")
    reason: str = Field(
        min_length=1,
        max_length=1024,
        pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        description="A constant in CamelCase.",
    )
    message: str = Field(max_length=32768, description="A sentence for a person.")


class LocalObjectReference(WireModel):
    """An object of a known kind in the same namespace."""

    name: str = Field(
        min_length=1,
        max_length=253,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        description="Name of the object, in the namespace of the one that refers to it.",
    )


class ObservedReference(ObservedModel):
    """A referenced object as it was when the status was written; the operator dispatches when it has changed since."""

    kind: str = Field(max_length=63, description="Kind of the referenced object.")
    name: str = Field(max_length=253, description="Name of the referenced object, in the same namespace.")
    uid: str = Field(default="", max_length=64, description="uid of the object seen; empty when there was none.")
    version: str = Field(
        default="",
        max_length=64,
        description="What stands for its content: the resourceVersion of a Secret, the generation of a kraut resource; empty when there was none.",
    )


class ReconcileStatus(ObservedModel):
    """What the status of every kraut kind has; the operator reads nothing else of a status."""

    observed_generation: Integer = Field(
        default=0, ge=0, description="The metadata.generation that this status answers."
    )
    last_handled_request: str = Field(
        default="", max_length=256, description=f"The last value of the annotation {REQUESTED_AT} that was acted on."
    )
    observed_references: list[ObservedReference] = Field(
        default_factory=list, max_length=64, description="Referenced objects as they were when this status was written."
    )
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=16,
        description="Ready always; Reconciling and Stalled only while True (kstatus).",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )


SpecT = TypeVar("SpecT", bound=WireModel)
StatusT = TypeVar("StatusT", bound=ObservedModel)


class Resource(ObservedModel, Generic[SpecT, StatusT]):
    """A namespaced object of kraut's group. ``kind`` is fixed per class; ``status`` is absent until kraut first wrote it."""

    KIND: ClassVar[str]

    api_version: Literal["kraut.dev/v1alpha1"] = API_VERSION
    kind: str
    metadata: ObjectMeta
    spec: SpecT
    status: StatusT | None = None
