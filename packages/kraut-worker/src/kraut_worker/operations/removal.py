"""The script that removes everything kraut left on a host (pure)."""

from typing import Final

from kraut_worker.operations.layout import ROOT

REMOVE: Final = f"""
[ -d {ROOT} ] || {{ echo removed; exit 0; }}
exec 9>>{ROOT}/start.lock || exit
flock -w 30 9 || exit
# Another removal was faster, and this lock excludes nobody any more: ask again.
[ "$(stat -L -c %i /proc/self/fd/9)" = "$(stat -c %i {ROOT}/start.lock 2>/dev/null)" ] || exit
running=$(systemctl list-units --no-legend --plain --full --type=service \\
  --state=active,activating,reloading,deactivating 'kraut-*.service' | sed -n 's/^kraut-\\([0-9a-f-]\\{{36\\}}\\)\\.service .*/\\1/p' | head -n 1)
[ -z "$running" ] || {{ printf 'running %s\\n' "$running"; exit 0; }}
# The lock goes last: as long as something is left, it is the one that everybody waits for.
find {ROOT} -mindepth 1 -maxdepth 1 ! -name start.lock -exec rm -rf {{}} + && rm -f {ROOT}/start.lock && rmdir {ROOT} && echo removed
"""
