"""The script that waits for an operation, and how its answer is read (pure)."""

import math
import re

from kraut_core.errors import UnknownOutcomeError
from kraut_worker.operations.layout import OPS
from kraut_worker.operations.reading import READ_FUNCTION, read_state
from kraut_worker.operations.state import OperationState
from kraut_worker.ports import CommandResult

_POLL = """
dir=@OPS@/@ID@ offset=@OFFSET@ steps=0
@READ@
# Half a second is what a person takes for at once; new output is sent after two, so that a chatty program is not a packet a line.
while [ "$steps" -lt @STEPS@ ] && [ ! -e "$dir/result" ]; do
  now=$(systemctl show --property=ActiveState --property=MainPID "kraut-@ID@.service" 2>/dev/null)
  case $now in *ActiveState=inactive*|*ActiveState=failed*) break ;; esac
  if [ @MAX@ -gt 0 ]; then
    more=$(($(stat -c %s "$dir/out" 2>/dev/null || echo 0) - offset))
    [ "$more" -lt @MAX@ ] || break
    [ "$more" -le 0 ] || [ "$steps" -lt 4 ] || break
  elif [ $((@STEPS@ - steps)) -ge 10 ]; then
    # Only the end counts: one process sleeps until the unit's is gone. Asking systemd twice a second costs what apt needs.
    main=${now##*MainPID=} main=${main%%[!0-9]*}
    if [ "${main:-0}" -gt 0 ]; then
      timeout 5 tail -f --pid="$main" --sleep-interval=0.2 /dev/null 2>/dev/null
      case $? in
        0) [ ! -e "$dir/result" ] || break ;;
        124) steps=$((steps + 10)); continue ;;
      esac
    fi
  fi
  sleep 0.5
  steps=$((steps + 1))
done
read_operation "$dir"
# After the result: the output was complete by then.
printf 'size=%s\\n' "$(stat -c %s "$dir/out" 2>/dev/null || echo 0)"
echo chunk
[ ! -e "$dir/out" ] || tail -c "+$((offset + 1))" "$dir/out" | head -c @MAX@
"""


def poll_script(id_: str, offset: int, *, max_bytes: int, wait_seconds: float) -> str:
    """The script for ``Shell.run``; ``wait_seconds`` is rounded up to half seconds."""
    values = {
        "READ": READ_FUNCTION,
        "OPS": OPS,
        "ID": id_,
        "OFFSET": str(offset),
        "MAX": str(max_bytes),
        "STEPS": str(math.ceil(wait_seconds * 2)),
    }
    return re.sub(r"@([A-Z]+)@", lambda found: values[found[1]], _POLL)


def parse_poll(result: CommandResult, id_: str, offset: int) -> OperationState:
    """Raises UnknownOutcomeError when the script ended without an answer."""
    head, found, chunk = result.stdout.partition(b"\nchunk\n")
    if not found:
        said = result.stderr.decode("utf-8", "replace").strip()[-300:]
        raise UnknownOutcomeError(
            f"asking for operation {id_} ended with exit status {result.exit_status} and no answer; the host said {said!r}"
        )
    lines = head.decode("utf-8", "replace").splitlines()
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    return read_state(values, chunk=chunk, offset=offset)
