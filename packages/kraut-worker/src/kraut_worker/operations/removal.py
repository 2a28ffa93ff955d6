"""The script that removes everything kraut left on a host (pure)."""

from typing import Final

from kraut_worker.operations.layout import ROOT

REMOVE: Final = f"""
[ -d {ROOT} ] || {{ echo removed; exit 0; }}
exec 9>>{ROOT}/start.lock || exit
flock -w 30 9 || exit
running=$(systemctl list-units --no-legend --plain --full --type=service \\
  --state=active,activating,reloading,deactivating 'kraut-*.service' | sed -n 's/^kraut-\\([0-9a-f-]\\{{36\\}}\\)\\.service .*/\\1/p' | head -n 1)
[ -z "$running" ] || {{ printf 'running %s\\n' "$running"; exit 0; }}
rm -rf {ROOT} && echo removed
"""
