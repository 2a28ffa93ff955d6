"""How the host is asked about operations, and how its answer is read: first the unit, unless there is a result, then the result."""

from collections.abc import Mapping
from typing import Final

from kraut_worker.operations.state import Observation, OperationState, decide_state

READ_FUNCTION: Final = """
# prefixed PREFIX FILE: its lines. Here and below by the shell itself: a process costs the host a hundred times as much.
prefixed() { while IFS= read -r line || [ -n "$line" ]; do printf '%s%s\\n' "$1" "$line"; done <"$2"; }
# read_operation FOLDER: prints key=value lines. The unit is asked before the result is looked for: a unit that is gone
# has written its result, if it ever will. Where the result is there already, the unit is over but for syncing it; one without an exit
# code (its disk was full) is as good as none, and a unit that counted as active would be waited for for ever.
read_operation() {
  printf 'id=%s\\n' "${1##*/}"
  unit=inactive
  [ -e "$1/result" ] || unit=$(systemctl show --property=ActiveState --value "kraut-${1##*/}.service" 2>/dev/null)
  printf 'unit=%s\\n' "${unit:-unknown}"
  [ ! -e "$1/spec" ] || prefixed spec. "$1/spec"
  [ ! -e "$1/claim/bootID" ] || prefixed claim.bootID= "$1/claim/bootID"
  [ ! -d "$1/claim" ] || echo claimed=yes
  [ ! -e "$1/result" ] || prefixed result. "$1/result"
  prefixed bootID= /proc/sys/kernel/random/boot_id
}
"""


def observe(values: Mapping[str, str]) -> Observation:
    """What ``read_operation`` printed. A unit that systemd would not tell of counts as active: unknown is never an end."""
    exit_code = values.get("result.exitCode", "")
    current = values.get("bootID", "")
    # A claim without its boot id: the host lost power between the two writes, so that boot is over; or it was killed there.
    claim = values.get("claim.bootID", "") or (values.get("spec.bootID", "") if values.get("claimed") else "")
    return Observation(
        spec="spec.type" in values,
        unit_active=values.get("unit", "unknown") not in ("inactive", "failed"),
        result_exit_code=int(exit_code) if exit_code.isdecimal() else None,
        claim_boot_id=claim,
        current_boot_id=current,
    )


def read_state(values: Mapping[str, str], *, chunk: bytes = b"", offset: int = 0) -> OperationState:
    """The state of one operation; ``chunk`` is its output from ``offset`` on."""
    seen = observe(values)
    return OperationState(
        state=decide_state(seen),
        exit_code=seen.result_exit_code,
        boot_id=values.get("result.bootID") or seen.claim_boot_id,
        current_boot_id=seen.current_boot_id,
        chunk=chunk,
        offset=offset + len(chunk),
        size=int(values.get("size") or 0),
    )
