"""Which operating system it is: os-release(5)."""

import shlex

from kraut_worker.facts.fact import Answer, Fact, require_success
from kraut_worker.facts.model import OsRelease

COMMAND = "cat /etc/os-release 2>/dev/null || cat /usr/lib/os-release"


def parse(answer: Answer) -> OsRelease:
    """Values may be quoted as a shell would; unknown keys are ignored. ID defaults to ``linux``, as the man page says."""
    require_success(answer, "reading /etc/os-release")
    values = {key.strip(): _unquote(value) for key, value in answer.pairs().items()}
    return OsRelease(
        id=values.get("ID", "linux"),
        version_id=values.get("VERSION_ID", ""),
        codename=values.get("VERSION_CODENAME", ""),
        pretty_name=values.get("PRETTY_NAME", values.get("NAME", "Linux")),
        id_like=tuple(values.get("ID_LIKE", "").split()),
    )


def _unquote(value: str) -> str:
    try:
        return " ".join(shlex.split(value))
    except ValueError:
        return value.strip("\"'")


OS_RELEASE = Fact("os_release", COMMAND, parse)
