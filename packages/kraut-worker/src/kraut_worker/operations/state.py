"""What an operation's folder and unit say, and what that means (pure).

The host is read in this order, so that nothing is missed in between: first the unit (it counts as gone where there is a result), then
the result.

======  ======  ======  ==================  ============================================================
spec    result  unit    claim               state
======  ======  ======  ==================  ============================================================
no      any     any     any                 Absent: this host knows nothing of it
yes     yes     any     any                 Done: it ended with ``exit_code`` in the boot ``boot_id``
yes     no      active  any                 Running
yes     no      gone    none                Pending: it was written down but never began; start it again
yes     no      gone    in this boot        Lost: it ended without a result (killed); the host needs repair
yes     no      gone    in another boot     Rebooted: the host went down under it; repair, then decide afresh
======  ======  ======  ==================  ============================================================

The *claim* is a folder that the unit makes before anything else: mkdir(2) is atomic, so that an operation is run by
one unit at most, ever, however often it was started. It holds the boot id it was made in.
"""

from dataclasses import dataclass
from typing import Literal

State = Literal["Absent", "Pending", "Running", "Done", "Lost", "Rebooted"]
TERMINAL: frozenset[State] = frozenset({"Done", "Lost", "Rebooted"})


@dataclass(frozen=True, slots=True)
class OperationState:
    """An operation as it was when the host was asked, and a piece of its output.

    ``exit_code`` is set when Done. ``boot_id`` is the boot it began in ("" when it never began), ``current_boot_id`` the
    one that runs now: a reboot succeeded only if they differ. ``chunk`` is its output (stdout and stderr) from the offset
    asked for, ``offset`` the one to ask for next, ``size`` how much there is now (0 in the facts of a host).
    """

    state: State
    exit_code: int | None = None
    boot_id: str = ""
    current_boot_id: str = ""
    chunk: bytes = b""
    offset: int = 0
    size: int = 0

    @property
    def ended(self) -> bool:
        """It will never run (again) by itself."""
        return self.state in TERMINAL

    @property
    def drained(self) -> bool:
        """It ended and all of its output was read."""
        return self.ended and self.offset >= self.size


@dataclass(frozen=True, slots=True)
class Observation:
    """What was read on the host. Boot ids are "" when absent; ``result_exit_code`` is None when there is no result."""

    spec: bool
    unit_active: bool
    result_exit_code: int | None
    claim_boot_id: str
    current_boot_id: str


def decide_state(seen: Observation) -> State:
    """The table above."""
    if not seen.spec:
        return "Absent"
    if seen.result_exit_code is not None:
        return "Done"
    if seen.unit_active:
        return "Running"
    if not seen.claim_boot_id:
        return "Pending"
    return "Lost" if seen.claim_boot_id == seen.current_boot_id else "Rebooted"
