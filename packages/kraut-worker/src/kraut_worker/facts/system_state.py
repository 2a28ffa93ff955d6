"""Whether the host has come up whole: systemd(1) started its units, and state can be written."""

from kraut_worker.facts.fact import Answer, Fact
from kraut_worker.facts.model import SystemState

COMMAND = """
printf 'systemd=%s\\n' "$(systemctl is-system-running 2>/dev/null)"
[ ! -w /var/lib ] || echo writable=yes
:
"""


def parse(answer: Answer) -> SystemState:
    """systemctl(1), is-system-running: ``initializing`` and ``starting`` are a boot that is not over."""
    values = answer.pairs()
    return SystemState(starting=values.get("systemd") in ("initializing", "starting"), writable="writable" in values)


SYSTEM_STATE = Fact("system_state", COMMAND, parse)
