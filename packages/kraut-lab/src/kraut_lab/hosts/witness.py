"""What a host records of itself, whoever acts on it: each boot, and each run of apt and dpkg with the unit that ran it.

Whose doing a run was comes from the kernel: the cgroup of the process bears the name of the systemd unit (cgroups(7)).
apt runs its hooks each time, also when there is nothing to install (apt.conf(5): APT::Update::Pre-Invoke, DPkg::Pre-Invoke).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kraut_lab.hosts.host import LabHost

LOG: Final = "/var/log/kraut-lab-witness"
"""On a host: one line ``<Unix time> boot|lists|packages <boot id> <operation id or none>`` per happening."""

WHO: Final = (
    r"$(sed -n 's|.*/kraut-\([0-9a-f-]*\)\.service.*|\1|p' /proc/self/cgroup | head -n 1 | grep . || echo none)"
)
"""Shell: the id of the operation of kraut that this process belongs to; ``none`` when it belongs to none."""

BOOT: Final = "$(cat /proc/sys/kernel/random/boot_id)"
"""Shell: the id of the running boot (random(4))."""

_NOTE: Final = "/usr/local/sbin/kraut-lab-witness"

INSTALL: Final = f"""
cat >{_NOTE} <<'SCRIPT'
#!/bin/sh
# Also on a host that takes nothing more: a hook that fails would make apt fail. What is not written is missed by who reads.
{{ echo "$(date +%s.%N) $1 {BOOT} {WHO}" >>{LOG}; }} 2>/dev/null || exit 0
SCRIPT
chmod 755 {_NOTE}
cat >/etc/apt/apt.conf.d/99kraut-lab-witness <<'CONF'
APT::Update::Pre-Invoke {{ "{_NOTE} lists"; }};
DPkg::Pre-Invoke {{ "{_NOTE} packages"; }};
CONF
cat >/etc/systemd/system/kraut_lab_witness.service <<'UNIT'
[Unit]
Before=ssh.service
[Service]
Type=oneshot
ExecStart={_NOTE} boot
[Install]
WantedBy=multi-user.target
UNIT
systemctl --quiet enable kraut_lab_witness.service
: >{LOG}
"""
"""Shell for a host's console: from now on it records; again: what it recorded is forgotten."""

FORGET: Final = f": >{LOG}"
"""Shell: what was recorded is forgotten."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the log."""

    time: float
    """Unix seconds, the host's clock."""
    what: str
    """``boot``; ``lists``: apt fetches package lists; ``packages``: apt hands packages to dpkg."""
    boot: str
    operation: str
    """Id of the operation of kraut that did it; "" when none did."""


@dataclass(frozen=True, slots=True)
class Witnessed:
    """All that a host recorded, oldest first."""

    happenings: tuple[Happening, ...]

    @property
    def boots(self) -> int:
        """How often it booted."""
        return sum(happening.what == "boot" for happening in self.happenings)

    @property
    def operations(self) -> set[str]:
        """Ids of the operations that ran apt."""
        return {happening.operation for happening in self.happenings if happening.operation}

    def runs(self, operation: str) -> dict[str, int]:
        """How often an operation fetched lists and handed packages to dpkg; a script that ran once did each at most once."""
        found = Counter(happening.what for happening in self.happenings if happening.operation == operation)
        return {what: found[what] for what in ("lists", "packages")}

    def repeated(self) -> list[str]:
        """I3: what an operation did more than once, a sentence each."""
        return [
            f"operation {operation} ran apt for {what} {times} times"
            for operation in sorted(self.operations)
            for what, times in self.runs(operation).items()
            if times > 1
        ]


def read_witnessed(host: LabHost) -> Witnessed:
    """What the host recorded since `INSTALL` or `FORGET`.

    Raises:
        LabError: the host is off, or never recorded anything.
    """
    return parse_witnessed(host.exec(f"cat {LOG}").stdout.splitlines())


def parse_witnessed(lines: Iterable[str]) -> Witnessed:
    """Lines of a log; one that a power cut left half written is left out (pure)."""
    found = [
        Happening(float(w[0]), w[1], w[2], "" if w[3] == "none" else w[3]) for w in map(str.split, lines) if len(w) == 4
    ]
    return Witnessed(tuple(found))
