"""Which machine it is, and which boot of it."""

from kraut_worker.facts.fact import Answer, Fact, FactProblem
from kraut_worker.facts.model import Machine

COMMAND = """
# say KEY FILE: its first word, nothing where it cannot be read.
say() { word=; [ ! -r "$2" ] || read -r word _ <"$2"; printf '%s=%s\\n' "$1" "$word"; }
say machineID /etc/machine-id
say bootID /proc/sys/kernel/random/boot_id
say systemUUID /sys/class/dmi/id/product_uuid
say uptime /proc/uptime
printf 'kernelVersion=%s\\n' "$(uname -r)"
printf 'architecture=%s\\n' "$(dpkg --print-architecture 2>/dev/null || uname -m)"
"""

_DEBIAN_NAMES = {"x86_64": "amd64", "aarch64": "arm64", "i686": "i386", "ppc64le": "ppc64el"}


def parse(answer: Answer) -> Machine:
    """Raises FactProblem when the machine id or the boot id is missing: nothing is decided without them."""
    values = answer.pairs()
    for key, path in (("machineID", "/etc/machine-id"), ("bootID", "/proc/sys/kernel/random/boot_id")):
        if not values.get(key):
            raise FactProblem("IdentityMissing", f"{path} is empty or cannot be read")
    architecture = values.get("architecture", "")
    return Machine(
        machine_id=values["machineID"],
        boot_id=values["bootID"],
        system_uuid=values.get("systemUUID", "").lower(),
        kernel_version=values.get("kernelVersion", ""),
        architecture=_DEBIAN_NAMES.get(architecture, architecture),
        uptime_seconds=int(float(values.get("uptime") or 0)),
    )


MACHINE = Fact("machine", COMMAND, parse)
