"""Scripts that install package updates with apt (pure: they return text)."""

import re
from typing import Final, Literal

from kraut_worker.operations.exit_codes import ExitCode
from kraut_worker.operations.security import SECURITY_PREFERENCES

_MIN_FREE_MIB: Final = 64

_PRELUDE = """
export DEBIAN_FRONTEND=noninteractive DEBIAN_PRIORITY=critical NEEDRESTART_MODE=a UCF_FORCE_CONFFOLD=1 APT_LISTCHANGES_FRONTEND=none
step() { printf '== %s\\n' "$*"; }
finish() { code=$1; shift; step "$@"; exit "$code"; }
out_size() { stat -c %s "$KRAUT_OPERATION/out"; }
said_since() { tail -c "+$(($1 + 1))" "$KRAUT_OPERATION/out"; }
# Without pkgcache.bin: a status that dpkg wrote in the same second as the cache would go unnoticed (apt compares size and second).
apt() {
  apt-get -o Dir::Cache::pkgcache= -y -q -o DPkg::Lock::Timeout=@LOCK@ -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \\
    -o APT::Get::Assume-Yes=true -o Dpkg::Use-Pty=0 "$@" </dev/null
}
# diagnose OFFSET DEFAULT: the exit code for what apt and dpkg said since OFFSET of the output.
diagnose() {
  if said_since "$1" | grep -q -E 'No space left on device|enough free space'; then exit @NO_SPACE@; fi
  if said_since "$1" | grep -q -E 'Read-only file system'; then exit @READ_ONLY@; fi
  if said_since "$1" | grep -q -E 'Could not get lock|Unable to (acquire|lock)|is locked by another process|lock .* was locked'; then exit @LOCK_TIMEOUT@; fi
  if said_since "$1" | grep -q -E 'dpkg: error processing|Sub-process .* returned an error|dpkg: unrecoverable'; then exit @PACKAGE_FAILED@; fi
  if said_since "$1" | grep -q -E 'Failed to fetch|Unable to fetch|Some index files failed|Could not resolve|is not signed|Release file'; then exit @REPOSITORY_UNREACHABLE@; fi
  exit "$2"
}
"""

_CHECK = """
step check
command -v apt-get >/dev/null || finish @UNRESOLVABLE@ 'this host has no apt-get'
for folder in /usr /etc /var/lib/dpkg /var/cache/apt; do
  [ -w "$folder" ] || finish @READ_ONLY@ "$folder is on a read-only file system"
  free=$(df -Pk "$folder" | awk 'NR == 2 { print int($4 / 1024) }')
  [ "$free" -ge @MIN_FREE@ ] || finish @NO_SPACE@ "$folder has $free MiB free, at least @MIN_FREE@ are needed"
done
"""

_REPAIR = """
# An interrupted dpkg leaves its journal in updates/, or packages that are unpacked and not configured.
if [ -n "$(ls /var/lib/dpkg/updates 2>/dev/null | grep -E '^[0-9]+$')" ] || [ -n "$(dpkg --audit)" ]; then
  step repair
  from=$(out_size)
  waited=0
  until dpkg --configure -a --force-confdef --force-confold </dev/null; do
    said_since "$from" | grep -q 'is locked by another process' || diagnose "$from" @REPAIR_FAILED@
    [ "$waited" -lt @LOCK@ ] || exit @LOCK_TIMEOUT@
    sleep 5; waited=$((waited + 5)); from=$(out_size)
  done
  apt --fix-broken --no-remove install || diagnose "$from" @REPAIR_FAILED@
fi
"""

_REFRESH = """
step refresh
waited=0
while :; do
  from=$(out_size)
  if apt -o APT::Update::Error-Mode=any update; then
    # Before apt 2.2 an archive that cannot be reached is a warning.
    said_since "$from" | grep -q -E 'Failed to fetch|Some index files failed' || break
    exit @REPOSITORY_UNREACHABLE@
  fi
  # DPkg::Lock::Timeout does not cover the lock of the lists.
  said_since "$from" | grep -q 'Could not get lock' || diagnose "$from" @REPOSITORY_UNREACHABLE@
  [ "$waited" -lt @LOCK@ ] || exit @LOCK_TIMEOUT@
  sleep 5; waited=$((waited + 5))
done
"""

_INSTALL_ALL = """
step install
from=$(out_size)
apt upgrade --with-new-pkgs || diagnose "$from" @UNRESOLVABLE@
"""

_INSTALL_SECURITY = """
step select
preferences="$KRAUT_OPERATION/preferences"
{ cat /etc/apt/preferences 2>/dev/null; echo; cat <<'PREFERENCES'; } >"$preferences" || exit @NO_SPACE@
@PREFERENCES@PREFERENCES
from=$(out_size)
plan=$(apt -s -o Debug::NoLocking=1 -o Dir::Etc::Preferences="$preferences" upgrade --with-new-pkgs) || diagnose "$from" @UNRESOLVABLE@
# Inst name [installed] (candidate Label:Version/Suite, … [arch]): what is installed and comes from a security archive.
wanted=$(printf '%s\\n' "$plan" | awk '/^Inst [^ ]+ \\[/ && /[ (]Debian-Security:|-security[, ]/ { version = $4; sub(/^\\(/, "", version); print $2 "=" version }')
[ -n "$wanted" ] || finish 0 'nothing to install'
step install
from=$(out_size)
apt install --only-upgrade --no-remove $wanted || diagnose "$from" @UNRESOLVABLE@
"""


def update_packages(mode: Literal["Security", "All"], *, lock_seconds: int = 300) -> str:
    """The script of an UpdatePackages operation; its exit codes are ``operations.exit_codes.ExitCode``.

    It checks that it can write before it changes anything, repairs an interrupted dpkg, fetches the package lists and
    installs: All is ``apt-get upgrade --with-new-pkgs``; Security takes the versions of security archives only. Nothing is
    removed, held packages stay, changed configuration files of a person are kept, services are restarted by needrestart.
    ``lock_seconds`` is how long each of apt's and dpkg's locks is waited for.
    """
    install = _INSTALL_ALL if mode == "All" else _INSTALL_SECURITY
    values = {
        "LOCK": str(lock_seconds),
        "MIN_FREE": str(_MIN_FREE_MIB),
        "PREFERENCES": SECURITY_PREFERENCES,
        **{code.name: str(int(code)) for code in ExitCode},
    }
    script = _PRELUDE + _CHECK + _REPAIR + _REFRESH + install + "step done\n"
    return re.sub(r"@([A-Z_]+)@", lambda found: values[found[1]], script)
