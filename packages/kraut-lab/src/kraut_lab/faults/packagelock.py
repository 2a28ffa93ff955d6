"""A lock of a host's package manager is held by somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kraut_lab.hosts import LabHost

FRONTEND = "/var/lib/dpkg/lock-frontend"
"""What apt takes before it installs anything; ``/var/lib/dpkg/lock`` is dpkg's, ``/var/lib/apt/lists/lock`` that of ``apt-get update``."""

_UNIT = "kraut-fault-lock"
_HELD = "/run/kraut-fault-lock"

# fcntl(2) locks, which apt and dpkg take: flock(1) takes others, that hold up neither.
_HOLD = """\
rm -f {held}; systemd-run --quiet --collect --unit={unit} perl -e 'use Fcntl; open(F, "+>>", "{path}") or die;
my $l = pack("s s l! l! i", F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, $l) or die; open(H, ">", "{held}") or die; sleep'
until [ -e {held} ]; do systemctl is-active --quiet {unit} || exit 1; sleep 0.05; done
"""


@contextmanager
def package_lock_held(host: LabHost, path: str = FRONTEND) -> Iterator[None]:
    """Hold the lock from when this is entered; LabError when somebody else has it."""
    host.exec(_HOLD.format(held=_HELD, unit=_UNIT, path=path))
    try:
        yield
    finally:
        host.exec(f"systemctl stop {_UNIT} 2>/dev/null; rm -f {_HELD}", check=False)
