"""The script that removes everything kraut left on a host (pure)."""

from kraut_worker.operations.layout import RELEASED, ROOT


def remove_script(fencing_token: int) -> str:
    """The script for ``Shell.run``; ``fencing_token`` is the greatest that was given out for the host."""
    return f"""
# A start that was decided before may come later, from a worker that stood still, when no folder tells of a token any more.
fence() {{
  printf '%s\\n' {fencing_token} "$(cat {ROOT}/token 2>/dev/null)" "$(cat {RELEASED} 2>/dev/null)" | sort -n | tail -n 1 >{RELEASED}.new && mv {RELEASED}.new {RELEASED}
}}
# Without a folder there is no lock: whoever makes one now reads the fence when it has the lock.
[ -d {ROOT} ] || {{ fence || exit; [ -d {ROOT} ] || {{ echo removed; exit 0; }}; }}
exec 9>>{ROOT}/start.lock || exit
flock -w 30 9 || exit
# Another removal was faster, and this lock excludes nobody any more: ask again.
[ "$(stat -L -c %i /proc/self/fd/9)" = "$(stat -c %i {ROOT}/start.lock 2>/dev/null)" ] || exit
running=$(systemctl list-units --no-legend --plain --full --type=service \\
  --state=active,activating,reloading,deactivating 'kraut-*.service' | sed -n 's/^kraut-\\([0-9a-f-]\\{{36\\}}\\)\\.service .*/\\1/p' | head -n 1)
[ -z "$running" ] || {{ printf 'running %s\\n' "$running"; exit 0; }}
fence || exit
# The lock goes last: as long as something is left, it is the one that everybody waits for.
find {ROOT} -mindepth 1 -maxdepth 1 ! -name start.lock -exec rm -rf {{}} + && rm -f {ROOT}/start.lock && rmdir {ROOT} && echo removed
"""
