"""Whether the host asks for a reboot.

/run/reboot-required is the convention of Debian and Ubuntu's maintainer scripts; needrestart, where it is installed,
knows whether the running kernel is the newest one (KSTA 3: it is not; needrestart's README.batch.md).
"""

from kraut_worker.facts.fact import Answer, Fact
from kraut_worker.facts.model import RebootRequired

COMMAND = """
[ ! -e /run/reboot-required ] || echo required
[ ! -e /run/reboot-required.pkgs ] || sed 's/^/package=/' /run/reboot-required.pkgs
! command -v needrestart >/dev/null || needrestart -b -k 2>/dev/null | grep '^NEEDRESTART-KSTA'
:
"""

_NEWER_KERNEL_INSTALLED = "NEEDRESTART-KSTA: 3"


def parse(answer: Answer) -> RebootRequired:
    """The packages are those that asked, each once, in their order; ``kernel`` when only needrestart does."""
    lines = answer.lines
    packages = [line.removeprefix("package=") for line in lines if line.startswith("package=")]
    if _NEWER_KERNEL_INSTALLED in lines and not any(name.startswith("linux-") for name in packages):
        packages.append("kernel")
    return RebootRequired(required="required" in lines or bool(packages), packages=tuple(dict.fromkeys(packages)))


REBOOT_REQUIRED = Fact("reboot_required", COMMAND, parse)
