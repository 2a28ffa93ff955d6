"""The worker's half of the host operation protocol: start, poll, remove."""

from dataclasses import dataclass
from typing import Literal

from kraut_core.api.v1alpha1.host import OperationType
from kraut_worker.operations.state import OperationState
from kraut_worker.ports import Shell

StartResult = Literal[
    "Started", "AlreadyRunning", "AlreadyDone", "AlreadyLost", "RefusedToken", "RefusedBootID", "Busy", "CannotStart"
]


@dataclass(frozen=True, slots=True)
class OperationSpec:
    """What is to run. ``id`` is a UUID minted once per decision; ``fencing_token`` must not be smaller than any the host has seen;
    ``boot_id`` is the boot it was decided in: the host refuses it in any other. ``script`` is POSIX sh (operations.apt, operations.reboot).
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


async def start(shell: Shell, spec: OperationSpec) -> StartOutcome:
    """Start an operation unless it was started before; safe to repeat, and safe to be cut at any byte.

    Raises UnknownOutcomeError when the answer never arrived: call it again with the same spec.
    """
    raise NotImplementedError


async def poll(
    shell: Shell, id_: str, offset: int = 0, *, max_bytes: int = 65536, wait_seconds: float = 20
) -> OperationState:
    """Wait up to ``wait_seconds`` for the end of an operation or for output after ``offset``, and return how it stands."""
    raise NotImplementedError


async def remove_all(shell: Shell) -> str:
    """Remove everything kraut left on the host; returns "" when done, or the id of the running operation that forbids it."""
    raise NotImplementedError
