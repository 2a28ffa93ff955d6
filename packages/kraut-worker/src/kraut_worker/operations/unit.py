"""What the unit of an operation runs on the host (pure: it returns text)."""

from typing import Final

from kraut_worker.operations.exit_codes import ExitCode
from kraut_worker.operations.layout import ROOT

RESULT_BYTES: Final = 160
"""The result's blocks are allocated before the script runs, so that a full file system cannot swallow its exit code."""

MAX_OUTPUT_BYTES: Final = 64 * 1024 * 1024
KEPT_OUTPUT_BYTES: Final = 1024 * 1024
"""An output that grows by more than the first is cut to its last bytes, as many as the second: it must not fill the host's disk."""

RUN: Final = f"""#!/bin/sh
# One of kraut's operations. Documentation: kraut_worker.operations.layout and .state
umask 077
dir=$(dirname "$0")
boot=$(cat /proc/sys/kernel/random/boot_id)
# Made once, ever: whoever comes second does nothing, however often the unit is started.
mkdir "$dir/claim" || exit 0
printf '%s\\n' "$boot" >"$dir/claim/bootID"
printf '%{RESULT_BYTES}s\\n' '' >"$dir/result.new"
sync "$dir/result.new" "$dir/claim/bootID" "$dir/claim" "$dir"
# At shutdown systemd sends SIGTERM to this shell only (KillMode=mixed): what runs is let finish, up to TimeoutStopSec. Ignored, and not
# trapped: a trap breaks off the wait for the child, and one that ends at that moment could end with the signal's code for its own.
trap '' TERM
export HOME=/root LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin KRAUT_OPERATION="$dir"
# -o: the lock is flock's alone; a daemon that the script leaves behind does not keep it.
(
  trap - TERM
  exec flock -n -o -E {int(ExitCode.HOST_LOCKED)} {ROOT}/lock /bin/sh "$dir/script"
) &
child=$!
# The beginning of a long output becomes a hole: its size stays what was printed, and so do offsets into it. Not by a pipe, whose end
# would end what writes, nor by a limit, which would count for every file. Where files have no holes, it is begun afresh.
cut=0
bound_output() {{
  size=$(stat -c %s "$dir/out")
  end=$((size - {KEPT_OUTPUT_BYTES}))
  [ $((end - cut)) -gt {MAX_OUTPUT_BYTES - KEPT_OUTPUT_BYTES} ] || return 0
  if fallocate --punch-hole --offset "$cut" --length $((end - cut)) "$dir/out" 2>/dev/null; then cut=$end; else truncate -s 0 "$dir/out"; size=0; fi
}}
# Silently: what it is doing when it is killed at the end is nothing of the operation's output.
# Every second while it prints much; else less and less often, up to four: many hosts that share a machine would feel it.
(
  trap - TERM
  pause=1 seen=0
  while sleep "$pause"; do
    bound_output
    if [ $((size - seen)) -gt {KEPT_OUTPUT_BYTES} ]; then pause=1; elif [ "$pause" -lt 4 ]; then pause=$((pause * 2)); fi
    seen=$size
  done
) 2>/dev/null &
watchdog=$!
wait "$child"
code=$?
kill "$watchdog"
bound_output
text=$(printf 'exitCode=%s\\nbootID=%s\\nended=%s' "$code" "$boot" "$(date +%s)")
printf '%-{RESULT_BYTES}s\\n' "$text" 1<>"$dir/result.new"
sync "$dir/out" "$dir/result.new"
mv "$dir/result.new" "$dir/result"
sync "$dir"
"""
