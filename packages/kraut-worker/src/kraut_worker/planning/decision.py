"""What a rule says is to happen to a host next (pure)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from kraut_core.api.v1alpha1.host import OperationType


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and which words say so. ``reason`` is empty when there is nothing to say."""

    action: Literal["Start", "Stay", "Wait", "Rest"]
    """Start an operation; stay with the one that is open; look again after ``recheck``; rest until somebody calls."""
    reason: str = ""
    message: str = ""
    stalled: bool = False
    """Nothing goes on until somebody acts."""
    progressing: bool = False
    """Work is going on, or will without anybody's help."""
    healing: bool = False
    """Something is wrong that time may heal; looks in a row that find so are counted."""
    operation: OperationType | None = None
    recheck: timedelta = timedelta()
