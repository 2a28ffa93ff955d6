"""What the machine has: processors, memory, disk."""

from kraut_worker.facts.fact import Answer, Fact, FactProblem
from kraut_worker.facts.model import Capacity

COMMAND = """
printf 'cpu=%s\\n' "$(nproc)"
while read -r name value _; do [ "$name" != MemTotal: ] || { echo "memoryKiB=$value"; break; }; done </proc/meminfo
df -Pk / | while read -r _ size _ _ _ folder; do [ "$folder" != / ] || echo "diskKiB=$size"; done
"""


def parse(answer: Answer) -> Capacity:
    """proc(5) and df(1) count in KiB."""
    values = answer.pairs()
    try:
        return Capacity(
            cpu=int(values["cpu"]),
            memory_bytes=int(values["memoryKiB"]) * 1024,
            disk_bytes=int(values["diskKiB"]) * 1024,
        )
    except (KeyError, ValueError):
        raise FactProblem(
            "CommandFailed", f"nproc, /proc/meminfo or df said nothing usable: {answer.stdout[:200]!r}"
        ) from None


CAPACITY = Fact("capacity", COMMAND, parse)
