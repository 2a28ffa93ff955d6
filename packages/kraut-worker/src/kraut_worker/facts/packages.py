"""What apt would install, what is held back by a person, and whether dpkg was interrupted."""

import re

from kraut_worker.facts.fact import UNSUPPORTED_EXIT, Answer, Fact, FactProblem, require_success
from kraut_worker.facts.model import Packages, PendingUpdate
from kraut_worker.facts.package_lists import FOLDER
from kraut_worker.operations.simulation import SIMULATE

COMMAND = f"""
command -v apt-get >/dev/null || exit {UNSUPPORTED_EXIT}
set -- {SIMULATE}
# Before the first refresh kraut's lists are empty: the host's own are better than none.
[ ! -e {FOLDER}/refreshed ] || set -- "$@" -c {FOLDER}/apt.conf
dpkg-query -W -f '${{db:Status-Want}} ${{Package}}\\n' | sed -n 's/^hold /held /p'
out=$(dpkg --audit)
[ -z "$out" ] || printf '%s\\n' "$out" | sed -n 's/^ \\([a-z0-9][^ ]*\\).*/broken \\1/p'
# An interrupted dpkg leaves its journal behind even where every package looks whole; apt refuses to work then.
for file in /var/lib/dpkg/updates/*; do
  case ${{file##*/}} in *[!0-9]*) ;; *) echo 'broken dpkg'; break ;; esac
done
out=$(apt-get "$@" upgrade --with-new-pkgs) || exit
# Where nothing is pending, nothing of it is a security update: half of the work for a host that is up to date.
case $out in *'Inst '*) ;; *) exit 0 ;; esac
printf '%s\\n' "$out" | sed -n 's/^Inst /all /p'
if [ -e {FOLDER}/security.preferences ]; then
  out=$(apt-get "$@" -o Dir::Etc::Preferences={FOLDER}/security.preferences upgrade --with-new-pkgs) || exit
fi
printf '%s\\n' "$out" | sed -n 's/^Inst /security /p'
"""

_INST = re.compile(r"^(?P<name>\S+)(?: \[(?P<old>[^\]]*)\])? \((?P<new>\S+) ?(?P<origins>.*?) ?\[[^\[\]]+\]\)")


def parse(answer: Answer) -> Packages:
    """Lines of ``apt-get -s``: ``Inst name [installed] (candidate Label:Version/Suite, … [arch])``, once per simulation.

    The first simulation installs everything; the second prefers the versions of security archives, so that a security
    update is seen even where a point release has since brought a newer version.
    """
    if answer.exit_status == UNSUPPORTED_EXIT:
        raise FactProblem("UnsupportedOperatingSystem", "this host has no apt-get")
    said: dict[str, list[str]] = {"all": [], "security": [], "held": [], "broken": []}
    for line in answer.lines:
        topic, _, rest = line.partition(" ")
        if topic in said:
            said[topic].append(rest)
    if not said["broken"]:
        # apt refuses to plan on a broken database; that it is broken is then all that can be told, and enough.
        require_success(answer, "simulating the upgrade")
    secured = {update.name for update in map(_parse_inst, said["security"]) if any(map(is_security, update.origins))}
    updates = [_parse_inst(line, secured) for line in said["all"]]
    return Packages(
        pending=tuple(update for update in updates if update.installed),
        new=tuple(update.name for update in updates if not update.installed),
        held=tuple(said["held"]),
        broken=tuple(dict.fromkeys(said["broken"])),
    )


def is_security(origin: str) -> bool:
    """Whether an origin as apt prints it, ``Label:Version/Suite``, is a security archive.

    >>> is_security("Debian-Security:12/stable-security"), is_security("Ubuntu:22.04/jammy-security")
    (True, True)
    >>> is_security("Debian:12.11/stable"), is_security("Ubuntu:22.04/jammy-updates")
    (False, False)
    """
    label, _, suite = origin.partition(":")
    return label == "Debian-Security" or suite.endswith("-security")


def _parse_inst(line: str, secured: frozenset[str] | set[str] = frozenset()) -> PendingUpdate:
    found = _INST.match(line)
    if found is None:
        raise FactProblem("CommandFailed", f"apt-get -s said what kraut does not understand: {line[:200]!r}")
    return PendingUpdate(
        name=found["name"],
        installed=found["old"] or "",
        candidate=found["new"],
        origins=tuple(origin for origin in found["origins"].split(", ") if origin),
        security=found["name"] in secured,
    )


PACKAGES = Fact("packages", COMMAND, parse)
