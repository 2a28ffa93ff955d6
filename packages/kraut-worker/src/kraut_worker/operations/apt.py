"""Scripts that install package updates with apt (pure: they return text)."""

import re
from typing import Final, Literal

from kraut_worker.operations.exit_codes import ExitCode
from kraut_worker.operations.security import SECURITY_PREFERENCES
from kraut_worker.operations.simulation import SIMULATE

_MIN_FREE_MIB: Final = 64

_PRELUDE = """
export DEBIAN_FRONTEND=noninteractive DEBIAN_PRIORITY=critical NEEDRESTART_MODE=a UCF_FORCE_CONFFOLD=1 APT_LISTCHANGES_FRONTEND=none
step() { printf '== %s\\n' "$*"; }
finish() { code=$1; shift; step "$@"; exit "$code"; }
mib_free() { df -Pk "$1" | awk 'NR == 2 { print int($4 / 1024) }'; }
out_size() { stat -c %s "$KRAUT_OPERATION/out"; }
# said OFFSET PATTERN: whether that was printed since OFFSET of the output. Of much output only the end is looked at: the rest may be
# a hole by now (operations.unit), which grep would take for one endless line.
said() {
  since=$(($(out_size) - 1048576))
  [ "$since" -gt "$1" ] || since=$1
  tail -c "+$((since + 1))" "$KRAUT_OPERATION/out" | grep -a -q -E -e "$2"
}
# Made by apt right before it runs dpkg: nothing that a package's scripts print can say otherwise.
changing="$KRAUT_OPERATION/changing"
# Without pkgcache.bin: a status that dpkg wrote in the same second as the cache would go unnoticed (apt compares size and second).
apt() {
  rm -f "$changing"
  apt-get -o Dir::Cache::pkgcache= -y -q -o DPkg::Lock::Timeout=@LOCK@ -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \\
    -o APT::Get::Assume-Yes=true -o Dpkg::Use-Pty=0 -o APT::Keep-Downloaded-Packages=false \\
    -o DPkg::Pre-Invoke::="touch $changing" "$@" </dev/null
}
# diagnose OFFSET CHANGED UNCHANGED: ends with what apt said since OFFSET of the output; with CHANGED if dpkg had begun: what a package
# prints while it fails is no word of apt, and no end in mid work is a harmless one.
diagnose() {
  full=no
  said "$1" 'No space left on device|enough free space' && full=yes
  if [ -e "$changing" ]; then
    [ "$full" = no ] || exit @NO_SPACE@
    exit "$2"
  fi
  [ "$full" = no ] || exit @NO_ROOM@
  if said "$1" '^[EW]: .*Read-only file system'; then exit @READ_ONLY@; fi
  if said "$1" '^E: (Could not get lock|Unable to (acquire|lock))'; then exit @LOCK_TIMEOUT@; fi
  if said "$1" '^[EW]: .*(Failed to fetch|Unable to fetch|Some index files failed|Could not resolve|is not signed|Release file)'; then
    exit @REPOSITORY_UNREACHABLE@
  fi
  exit "$3"
}
"""

_CHECK = """
step check
command -v apt-get >/dev/null || finish @UNRESOLVABLE@ 'this host has no apt-get'
for folder in /usr /etc /var/lib/dpkg /var/cache/apt; do
  [ -w "$folder" ] || finish @READ_ONLY@ "$folder is on a read-only file system"
  free=$(mib_free "$folder")
  [ "$free" -ge @MIN_FREE@ ] || finish @NO_ROOM@ "$folder has $free MiB free, at least @MIN_FREE@ are needed"
done
"""

_REPAIR = """
# An interrupted dpkg leaves its journal in updates/, or packages that are unpacked and not configured.
if [ -n "$(ls /var/lib/dpkg/updates 2>/dev/null | grep -E '^[0-9]+$')" ] || [ -n "$(dpkg --audit)" ]; then
  step repair
  from=$(out_size)
  waited=0
  touch "$changing"
  until dpkg --configure -a --force-confdef --force-confold </dev/null; do
    # dpkg's own lock, not that of a program which a package's script ran: then it would name the package as well.
    said "$from" '^dpkg: error: dpkg .* lock (is|was) locked by ' || diagnose "$from" @REPAIR_FAILED@ @REPAIR_FAILED@
    ! said "$from" '^(Setting up|dpkg: error processing) ' || diagnose "$from" @REPAIR_FAILED@ @REPAIR_FAILED@
    [ "$waited" -lt @LOCK@ ] || exit @LOCK_TIMEOUT@
    sleep 5; waited=$((waited + 5)); from=$(out_size)
  done
  apt --fix-broken --no-remove install || diagnose "$from" @REPAIR_FAILED@ @REPAIR_FAILED@
fi
"""

_REFRESH = """
step refresh
waited=0
while :; do
  from=$(out_size)
  if apt -o APT::Update::Error-Mode=any update; then
    # Before apt 2.2 an archive that cannot be reached is a warning.
    said "$from" '^[EW]: (Failed to fetch|Some index files failed)' || break
    exit @REPOSITORY_UNREACHABLE@
  fi
  # DPkg::Lock::Timeout does not cover the lock of the lists.
  said "$from" '^E: Could not get lock' || diagnose "$from" @REPOSITORY_UNREACHABLE@ @REPOSITORY_UNREACHABLE@
  [ "$waited" -lt @LOCK@ ] || exit @LOCK_TIMEOUT@
  sleep 5; waited=$((waited + 5))
done
"""

_PLAN_ALL = """
step select
from=$(out_size)
plan=$(apt @SIMULATE@ upgrade --with-new-pkgs) || diagnose "$from" @UNRESOLVABLE@ @UNRESOLVABLE@
"""

_PLAN_SECURITY = """
step select
preferences="$KRAUT_OPERATION/preferences"
{ cat /etc/apt/preferences 2>/dev/null; echo; cat <<'PREFERENCES'; } >"$preferences" || exit @NO_ROOM@
@PREFERENCES@PREFERENCES
from=$(out_size)
plan=$(apt @SIMULATE@ -o Dir::Etc::Preferences="$preferences" upgrade --with-new-pkgs) ||
  diagnose "$from" @UNRESOLVABLE@ @UNRESOLVABLE@
# Inst name [installed] (candidate Label:Version/Suite, … [arch]): what comes from a security archive.
plan=$(printf '%s\\n' "$plan" | grep -E '^Inst .*([ (]Debian-Security:|-security[, ])')
"""

_ROOM = """
# A new kernel brings an initial RAM disk, made in mid dpkg beside the one that is there: the largest file in /boot.
if printf '%s\\n' "$plan" | grep -q '^Inst linux-image-'; then
  free=$(mib_free /boot)
  largest=$(find /boot -maxdepth 1 -type f -exec du -m {} + | sort -n | tail -n 1 | cut -f 1)
  needed=$((2 * ${largest:-0} + @MIN_FREE@ / 2))
  [ "$free" -ge "$needed" ] || finish @NO_ROOM@ "/boot has $free MiB free, at least $needed are needed for a new kernel"
fi
"""

_INSTALL_ALL = """
step install
from=$(out_size)
apt upgrade --with-new-pkgs || diagnose "$from" @PACKAGE_FAILED@ @UNRESOLVABLE@
"""

_INSTALL_SECURITY = """
# Of the plan, what is installed already; what is new comes with it.
wanted=$(printf '%s\\n' "$plan" | awk '/^Inst [^ ]+ \\[/ { version = $4; sub(/^\\(/, "", version); print $2 "=" version }')
[ -n "$wanted" ] || finish 0 'nothing to install'
step install
from=$(out_size)
apt install --only-upgrade --no-remove $wanted || diagnose "$from" @PACKAGE_FAILED@ @UNRESOLVABLE@
"""


def update_packages(mode: Literal["Security", "All"], *, lock_seconds: int = 300) -> str:
    """The script of an UpdatePackages operation; its exit codes are ``operations.exit_codes.ExitCode``.

    It checks that it can write before it changes anything, repairs an interrupted dpkg, fetches the package lists, looks whether a
    new kernel fits into /boot, and installs: All is ``apt-get upgrade --with-new-pkgs``; Security takes the versions of security archives only. Nothing is
    removed, held packages stay, changed configuration files of a person are kept, services are restarted by needrestart. What was
    downloaded and installed does not stay on the host.
    ``lock_seconds`` is how long each of apt's and dpkg's locks is waited for.
    """
    plan, install = (_PLAN_ALL, _INSTALL_ALL) if mode == "All" else (_PLAN_SECURITY, _INSTALL_SECURITY)
    values = {
        "LOCK": str(lock_seconds),
        "MIN_FREE": str(_MIN_FREE_MIB),
        "PREFERENCES": SECURITY_PREFERENCES,
        "SIMULATE": SIMULATE,
        **{code.name: str(int(code)) for code in ExitCode},
    }
    script = _PRELUDE + _CHECK + _REPAIR + _REFRESH + plan + _ROOM + install + "step done\n"
    return re.sub(r"@([A-Z_]+)@", lambda found: values[found[1]], script)
