"""What the workflows and their activities say to each other.

These models stand in workflow histories: fields are added with defaults, never renamed or removed, so that the histories
of the last release replay. They carry no secret.
"""

from typing import Literal

from kraut_core.api.maintenance import UpdatePolicy
from kraut_core.api.meta import ObservedModel
from kraut_core.api.v1alpha1.host import OperationType


class HostName(ObservedModel):
    """Which Host, of which home cluster."""

    home: str
    namespace: str
    name: str


class OperationOrder(ObservedModel):
    """An operation as it was decided; all its attempts say the same."""

    id: str
    type: OperationType
    fencing_token: int
    boot_id: str
    host_uid: str = ""
    """uid of the Host it was decided for: another one of its name is not touched. Empty in orders of an earlier version."""
    updates: UpdatePolicy = "None"
    deadline_seconds: float = 600.0
    """Reboot: how long the host has to come back. Others: how long it may be out of reach before the outcome is unknown."""


class HostState(ObservedModel):
    """What one run of HostWorkflow hands to the next (continue-as-new), as JSON in ``ReconcileInput.state``."""

    site: str = ""
    """Where the host was last found; empty at the very start."""
    order: OperationOrder | None = None
    """The operation in flight: the next run attaches to it."""
    attempt: int = 0
    refused_id: str = ""
    refusal: str = ""
    linger_seconds: float = 20.0
    """How long a workflow with nothing to do stays open, so that a burst of changes costs one run."""
    site_patience_seconds: float = 45.0
    """How long an assessment waits for a worker of its site; the second time in a row the status says that none serves it."""


class AssessInput(ObservedModel):
    """Ask for the next step of a host."""

    host: HostName
    site: str
    operation_id: str
    """Minted by the workflow for the operation that this assessment may decide; so it is in history before anything starts."""
    in_flight: str = ""
    """Id of the operation that an activity of this workflow is busy with now."""
    attempt: int = 0
    """How many assessments in a row found something that time may heal."""
    refused_id: str = ""
    """Id of the operation that the host refused to start just now, and ``refusal``, why."""
    refusal: str = ""
    only_swept: bool = False
    """Nobody but a sweep asked for this look."""


class Assessment(ObservedModel):
    """The next step of a host, decided from what is."""

    outcome: Literal["Gone", "OtherSite", "Operate", "Wait", "Rest"]
    site: str = ""
    operation: OperationOrder | None = None
    recheck_seconds: float = 0.0
    healing: bool = False
    """Something is wrong that time may heal."""
    reason: str = ""
    """Why, as a condition's reason; for people who read the history."""
    ends: bool = False
    """The workflow need not linger: a sweep found nothing to do, and its next signal is far away."""


class RunOperationInput(ObservedModel):
    """Start the operation, or attach to it, and stay until its end is known."""

    host: HostName
    order: OperationOrder


class OperationReport(ObservedModel):
    """How staying with an operation ended. The host itself is asked again before anything is concluded from it."""

    state: Literal["Ended", "Unknown", "Refused"]
    message: str = ""


class ClusterName(ObservedModel):
    """Which Cluster, of which home cluster."""

    home: str
    namespace: str
    name: str


class ClusterState(ObservedModel):
    """What one run of ClusterWorkflow hands to the next (continue-as-new), as JSON in ``ReconcileInput.state``."""

    attempt: int = 0
    linger_seconds: float = 20.0


class AssessClusterInput(ObservedModel):
    """Ask for the next step of a cluster."""

    cluster: ClusterName
    attempt: int = 0
    """How many assessments in a row found trouble."""


class ClusterAssessment(ObservedModel):
    """The next step of a cluster, decided from what is."""

    outcome: Literal["Gone", "Wait", "Rest"]
    recheck_seconds: float = 0.0
    healing: bool = False
    """Something is wrong; looks in a row that find so are counted."""
    reason: str = ""
    """Why, as a condition's reason; for people who read the history."""


class SweepInput(ObservedModel):
    """Wake every object of a kind once, spread over ``spread_seconds``."""

    home: str
    kind: str
    spread_seconds: float


class SweepReport(ObservedModel):
    """How many objects were woken, and how many wakes Temporal refused since the last attempt began."""

    woken: int
    refused: int = 0
