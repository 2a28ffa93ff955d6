"""What is asked of a host, and what it answers to the asking."""

from dataclasses import dataclass
from typing import Literal

from kraut_core.api.v1alpha1.host import OperationType

StartResult = Literal[
    "Started", "AlreadyRunning", "AlreadyDone", "AlreadyLost", "RefusedToken", "RefusedBootID", "Busy", "CannotStart"
]


@dataclass(frozen=True, slots=True)
class OperationSpec:
    """What is to run.

    ``id`` is a UUID (lower case) minted once per decision. ``fencing_token`` must not be smaller than any the host has seen.
    ``boot_id`` is the boot it was decided in: the host refuses it in any other. ``script`` is POSIX sh (operations.apt,
    operations.reboot); it runs as root, under the host's lock, with stdout and stderr to the operation's output.
    """

    id: str
    type: OperationType
    fencing_token: int
    boot_id: str
    script: str


@dataclass(frozen=True, slots=True)
class StartOutcome:
    """What the host answered to a start.

    ``Started``; ``AlreadyRunning``, ``AlreadyDone``, ``AlreadyLost`` (this id was started before: poll tells the rest);
    ``RefusedToken`` (``token`` is the greater one that the host has seen); ``RefusedBootID`` (``boot_id`` is the current one);
    ``Busy`` (``other_id`` runs); ``CannotStart`` (``message`` says why: no space, read-only file system, no systemd).
    Nothing was run and nothing will for the last four.
    """

    result: StartResult
    other_id: str = ""
    token: int = 0
    boot_id: str = ""
    message: str = ""

    @property
    def attachable(self) -> bool:
        """This id exists on the host now: poll it."""
        return self.result in ("Started", "AlreadyRunning", "AlreadyDone", "AlreadyLost")
