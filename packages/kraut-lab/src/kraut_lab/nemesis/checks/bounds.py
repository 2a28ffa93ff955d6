"""I10: memory, descriptors and histories are bounded, however long faults strike."""

from __future__ import annotations

from typing import Final

from kraut_lab.nemesis.checks.violation import Violation
from kraut_lab.nemesis.history import History

MEMORY_MIB: Final = 512
"""Of one process. It needs about 100; a leak in a run of an hour shows long before this."""
DESCRIPTORS: Final = 256
"""Of one process: some 30 of its own and a few for each host of a lab."""
HISTORY_EVENTS: Final = 5_000
"""Of one workflow run. Temporal suggests to continue as new at 4,096 (limit.historyCount.suggestContinueAsNew)."""


def check_bounds(history: History) -> list[Violation]:
    """What every process and every workflow run had used in the end."""
    found = []
    for event in history.of("resources"):
        if event["memoryMiB"] > MEMORY_MIB:
            found.append(
                Violation("I10", f"{event['name']} uses {event['memoryMiB']} MiB, up to {MEMORY_MIB} are fine")
            )
        if event["descriptors"] > DESCRIPTORS:
            message = f"{event['name']} has {event['descriptors']} descriptors open, up to {DESCRIPTORS} are fine"
            found.append(Violation("I10", message))
    for event in history.of("workflow"):
        if event["events"] > HISTORY_EVENTS:
            message = f"{event['id']} ({event['run']}) has {event['events']} events, up to {HISTORY_EVENTS} are fine"
            found.append(Violation("I10", message))
    return found
