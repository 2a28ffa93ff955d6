"""What the hosts themselves record: who configured a package, who asked for a reboot, which boots there were.

Whose doing it was comes from the kernel: the cgroup of the process bears the name of the systemd unit (cgroups(7)).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from kraut_lab.hosts.witness import BOOT, WHO

LOG: Final = "/var/log/kraut-nemesis"
"""On a host: one line per happening, ``<Unix time> <what> ...``."""

# kraut's operations look for programs in /usr/local/sbin first, as root's shells do.
_SYSTEMCTL = "/usr/local/sbin/systemctl"
_NOTE_BOOT = "/usr/local/sbin/kraut-nemesis-boot"
_UNIT = "/etc/systemd/system/kraut-nemesis.service"

INSTALL: Final = f"""
cat >{_SYSTEMCTL} <<'SCRIPT'
#!/bin/sh
case " $* " in *" reboot "*) echo "$(date +%s.%N) reboot {BOOT} {WHO}" >>{LOG} ;; esac
exec /usr/bin/systemctl "$@"
SCRIPT
cat >{_NOTE_BOOT} <<'SCRIPT'
#!/bin/sh
echo "$(date +%s.%N) boot {BOOT}" >>{LOG}
SCRIPT
chmod 755 {_SYSTEMCTL} {_NOTE_BOOT}
cat >{_UNIT} <<'UNIT'
[Unit]
Before=ssh.service
[Service]
Type=oneshot
ExecStart={_NOTE_BOOT}
[Install]
WantedBy=multi-user.target
UNIT
/usr/bin/systemctl --quiet enable kraut-nemesis.service
: >{LOG}
{_NOTE_BOOT}
"""

REMOVE: Final = f"""
/usr/bin/systemctl --quiet disable kraut-nemesis.service
rm -f {_SYSTEMCTL} {_NOTE_BOOT} {_UNIT} {LOG}
"""


def note_effect(package: str, version: str, *, seconds: float) -> str:
    """Shell for a postinst: a line at its begin, a line at its end, and time for faults in between."""
    line = f'echo "$(date +%s.%N) $phase {package} {version} {BOOT} $who" >>{LOG}'
    return f"who={WHO}\nphase=begin; {line}\nsleep {seconds}\nphase=end; {line}"


def read_witness(file: Path, host: str) -> list[dict[str, Any]]:
    """The lines of a host's log as events; a line that a power cut left half written is left out."""
    if not file.exists():
        return []
    events = [_event(line.split(), host) for line in file.read_text(errors="replace").splitlines()]
    return [event for event in events if event is not None]


def _event(words: list[str], host: str) -> dict[str, Any] | None:
    match words:
        case [time, "begin" | "end" as phase, package, version, boot, who]:
            found = {"what": "effect", "phase": phase, "package": package, "version": version, "boot": boot}
        case [time, "reboot", boot, who]:
            found = {"what": "reboot", "boot": boot}
        case [time, "boot", boot]:
            return {"t": float(time), "what": "boot", "host": host, "boot": boot}
        case _:
            return None
    return {"t": float(time), **found, "host": host, "operation": "" if who == "none" else who}
