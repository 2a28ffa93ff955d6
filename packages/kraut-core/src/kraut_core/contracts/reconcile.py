"""How the operator, the sweeps and the CLI wake the workflow of an object.

One workflow per object, at most one open: its id is made of the home cluster, the kind and the name; the
operator sends signal-with-start, so that it never matters whether one is running.
"""

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator

from kraut_core.api.meta import ObservedModel

RECONCILE_SIGNAL = "reconcile"
DEFAULT_SITE = "default"

Reason = Literal["Spec", "Deleted", "Requested", "Reference", "Owned", "Initial", "Budget", "Sweep"]
"""Why an object is to be reconciled: its spec changed, it is being deleted, a person asked, something it refers to or owns
changed, it has no status yet, a place in a budget came free, or it is time to look again."""


def _known(reason: Any) -> Any:
    """A newer operator may have reasons that are not known here; a signal that cannot be read would be dropped for good."""
    return reason if reason in get_args(Reason) or not isinstance(reason, str) else "Sweep"


class ReconcileRequest(ObservedModel):
    """The payload of the signal; under 300 bytes on the wire. It is a hint: the workflow reads the object itself."""

    uid: str
    generation: int
    reason: Annotated[Reason, BeforeValidator(_known)]


class ReconcileInput(ObservedModel):
    """The argument of every reconciling workflow.

    ``state`` is what a run hands to its continuation (JSON, kind's own); ``site`` is where whoever woke it saw the object, a
    hint for the first look.
    """

    home: str
    namespace: str
    name: str
    state: str = ""
    site: str = ""


def workflow_type(kind: str) -> str:
    """The registered name of the workflow of a kind, for example ``HostWorkflow``."""
    return f"{kind}Workflow"


def workflow_id(home: str, kind: str, namespace: str, name: str) -> str:
    """``<home>/<kind>/<namespace>/<name>``; the name and not the uid, so that a re-created object has the same writer."""
    return f"{home}/{kind}/{namespace}/{name}"


def workflow_queue(home: str) -> str:
    """Task queue of the workflows of a home cluster."""
    return f"{home}.workflows"


def kubernetes_queue(home: str) -> str:
    """Task queue of the activities that talk to the home cluster's API."""
    return f"{home}.kubernetes"


def ssh_queue(home: str, site: str) -> str:
    """Task queue of the activities that look at hosts of a site: minutes at most."""
    return f"{home}.ssh.{site}"


def operations_queue(home: str, site: str) -> str:
    """Task queue of the activities that stay with an operation on a host of a site: hours. Of its own, so that many of them
    keep no other host from being looked at."""
    return f"{home}.ssh.{site}.operations"
