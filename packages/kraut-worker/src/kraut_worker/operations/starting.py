"""The script that starts an operation, and how its answer is read (pure)."""

import re
import shlex
from collections.abc import Mapping
from typing import Final, get_args

from kraut_core.errors import UnknownOutcomeError
from kraut_worker.operations.layout import KEPT_FOLDERS, OPS, RELEASED, ROOT
from kraut_worker.operations.outcome import OperationSpec, StartOutcome, StartResult
from kraut_worker.operations.unit import RUN
from kraut_worker.ports import CommandResult

RUN_LIMIT_SECONDS: Final = 86_400
"""systemd ends an operation that takes longer than a day: a maintainer script that hangs must not hold a budget for ever."""

STOP_TIMEOUT_SECONDS: Final = 900
"""How long a shutdown waits for a running operation: half-installed packages cost more than a late reboot."""

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_START = """
umask 077
id=@ID@ token=@TOKEN@ boot=@BOOT@ dir=@OPS@/@ID@
answer() { printf 'answer=%s\\nvalue=%s\\n' "$1" "$2"; exit 0; }
# A refusal is final. This try or an earlier one may have left a start in systemd's queue: what comes of it will find its claim taken,
# and do nothing. Whoever cannot take it answers nothing, so that it is asked again.
burn() {
  mkdir "$dir/claim" 2>/dev/null || { [ -d "$dir/claim" ] && answer AlreadyRunning; echo "$dir is full or read-only" >&2; exit 1; }
  rm -f "$dir/spec"
}
refuse() { [ ! -e "$dir/spec" ] || burn; answer "$1" "$2"; }
cannot() { refuse CannotStart "$1"; }
# Who stood still before this was sent comes too late on a host that was let go meanwhile, whose folder tells nothing any more.
check_released() {
  released=$(cat @RELEASED@ 2>/dev/null)
  [ -z "$released" ] || [ "$token" -gt "$released" ] || refuse RefusedToken "$released"
}
running_unit() {
  systemctl list-units --no-legend --plain --full --type=service \\
    --state=active,activating,reloading,deactivating 'kraut-*.service' | sed -n 's/^kraut-\\([0-9a-f-]\\{36\\}\\)\\.service .*/\\1/p' | head -n 1
}
# Before anything is made; and once more when a removal, whose lock this is, can no longer come in between.
check_released
say=$(mkdir -p -m 0711 @ROOT@ 2>&1 && mkdir -p -m 0700 @OPS@ 2>&1) || cannot "$say"
command -v systemd-run >/dev/null && [ -d /run/systemd/system ] || cannot "systemd does not run this host"
# A failed redirection would end this shell without an answer, so that it is tried in a subshell first.
say=$( (: >>@ROOT@/start.lock) 2>&1) || cannot "$say"
exec 9>>@ROOT@/start.lock
# Whoever holds it may be an earlier try of this very start.
flock -w 30 9 || { mkdir -p "$dir"; burn; answer CannotStart "another start or removal held @ROOT@/start.lock for 30 s"; }
# Who waited for a removal holds the lock of a file that is gone, beside which the next one makes its own; and this host was let go.
[ "$(stat -L -c %i /proc/self/fd/9)" = "$(stat -c %i @ROOT@/start.lock 2>/dev/null)" ] || cannot "@ROOT@ was removed meanwhile"
check_released

if [ -e "$dir/result" ]; then answer AlreadyDone; fi
case $(systemctl show --property=ActiveState --value "kraut-$id.service" 2>/dev/null) in
  inactive|failed) ;;
  '') cannot "systemd does not answer" ;;
  *) answer AlreadyRunning ;;
esac
# The unit is gone; it may have ended since the first look.
if [ -e "$dir/result" ]; then answer AlreadyDone; fi
if [ -d "$dir/claim" ]; then answer AlreadyLost; fi

now=$(cat /proc/sys/kernel/random/boot_id)
[ "$boot" = "$now" ] || refuse RefusedBootID "$now"
seen=$(cat @ROOT@/token 2>/dev/null)
[ "$token" -ge "${seen:-0}" ] || refuse RefusedToken "$seen"
other=$(running_unit)
[ -z "$other" ] || refuse Busy "$other"

print_script() {
cat <<'@END@'
@SCRIPT@
@END@
}
print_run() {
cat <<'@END@'
@RUN@@END@
}
write() { cat >"$1.new" && sync "$1.new" && mv "$1.new" "$1"; }
say=$( { mkdir -p "$dir" && printf '%s\\n' "$token" | write @ROOT@/token; } 2>&1) || cannot "$say"
say=$(print_script | write "$dir/script" 2>&1) || cannot "$say"
say=$(print_run | write "$dir/run" 2>&1) || cannot "$say"
say=$( { printf 'type=%s\\ntoken=%s\\nbootID=%s\\ncreated=%s\\n' @TYPE@ "$token" "$boot" "$(date +%s)" | write "$dir/spec" && sync "$dir" @OPS@; } 2>&1) || cannot "$say"
# systemd would make it readable for everybody; what packages print may hold secrets of the host.
say=$( (: >>"$dir/out") 2>&1) || cannot "$say"
ls -1t @OPS@ | tail -n +@FIRST_PRUNED@ | while read -r old; do [ "$old" = "$id" ] || rm -rf "@OPS@/$old"; done
# --collect: the result file is the record; a unit that failed is forgotten at once and blocks nothing.
# RefuseManualStop: what needrestart, called by apt in here, would wait for for ever; it honours it. A shutdown stops the unit all the same.
say=$(timeout 60 systemd-run --quiet --collect --unit="kraut-$id" --service-type=exec \\
  --description="kraut @TYPE@ $id" --property=KillMode=mixed --property=TimeoutStopSec=@STOP@ --property=RuntimeMaxSec=@LIMIT@ \\
  --property=RefuseManualStop=yes --property=OOMPolicy=continue --property=StandardInput=null \\
  --property=StandardOutput="append:$dir/out" --property=StandardError="append:$dir/out" \\
  /bin/sh "$dir/run" 2>&1 9>&-) || cannot "${say:-systemd did not start it within a minute}"
answer Started
"""


def start_script(spec: OperationSpec) -> str:
    """The script for ``Shell.run``. Raises ValueError for an id that is no lower-case UUID or a script that cannot be embedded."""
    if not _ID.fullmatch(spec.id):
        raise ValueError(f"expected a lower-case UUID as the id of an operation, found {spec.id!r}")
    end = f"END-{spec.id}"
    if end in spec.script:
        raise ValueError("an operation's script must not name its own end marker")
    values = {
        "SCRIPT": spec.script.rstrip("\n"),
        "RUN": RUN,
        "ID": spec.id,
        "TOKEN": str(spec.fencing_token),
        "BOOT": shlex.quote(spec.boot_id),
        "TYPE": spec.type,
        "ROOT": ROOT,
        "OPS": OPS,
        "RELEASED": RELEASED,
        "END": end,
        "STOP": str(STOP_TIMEOUT_SECONDS),
        "LIMIT": str(RUN_LIMIT_SECONDS),
        "FIRST_PRUNED": str(KEPT_FOLDERS + 1),
    }
    # In one pass, so that an `@ID@` inside of the embedded script stays what it is.
    return re.sub(r"@([A-Z_]+)@", lambda found: values[found[1]], _START)


def parse_start(result: CommandResult, spec: OperationSpec) -> StartOutcome:
    """Raises UnknownOutcomeError when the script ended without an answer."""
    values = _pairs(result.stdout)
    answer = values.get("answer", "")
    value = values.get("value", "")
    for known in get_args(StartResult):
        if known == answer:
            return _outcome(known, value)
    said = (result.stderr or result.stdout).decode("utf-8", "replace").strip()[-300:]
    raise UnknownOutcomeError(
        f"starting operation {spec.id} ended with exit status {result.exit_status} and no answer; the host said {said!r}"
    )


def _outcome(result: StartResult, value: str) -> StartOutcome:
    if result == "RefusedToken":
        return StartOutcome(result, token=int(value or 0))
    if result == "RefusedBootID":
        return StartOutcome(result, boot_id=value)
    if result == "Busy":
        return StartOutcome(result, other_id=value)
    return StartOutcome(result, message=value)


def _pairs(output: bytes) -> Mapping[str, str]:
    lines = output.decode("utf-8", "replace").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)
