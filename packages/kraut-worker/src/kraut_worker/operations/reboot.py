"""The script that reboots a host (pure: it returns text)."""

from typing import Final

from kraut_worker.operations.exit_codes import ExitCode

_SCRIPT: Final = f"""
# Time for the session that started this to say so and to close, instead of being torn down with the host.
sleep 1
# Since the decision another program may have begun to install, and a kernel whose postinst did not end may not boot: apt-get
# takes apt's and dpkg's locks for its check and refuses an interrupted database; the audit names what is half configured.
apt-get -q -o Dir::Cache::pkgcache= -o DPkg::Lock::Timeout=0 check </dev/null && [ -z "$(dpkg --audit)" ] ||
  exit {int(ExitCode.PACKAGES_IN_TRANSITION)}
if ! systemctl --no-block reboot; then
  # Only a reboot that is not under way was refused; an answer that was lost is none.
  jobs=$(systemctl list-jobs --no-legend --plain) || exit 0
  case $jobs in *reboot.target*) ;; *) exit {int(ExitCode.REBOOT_REFUSED)} ;; esac
fi
echo 'systemd accepted the reboot'
"""


def reboot() -> str:
    """The script of a Reboot operation; it exits 0 when systemd accepted, and leaves a host alone that is installing packages.

    Accepted is not done: the reboot succeeded when, and only when, the host's boot id is another than the one the
    operation names. The unit outlives the beginning of the shutdown, so that its result is on disk before the host goes down.
    """
    return _SCRIPT
