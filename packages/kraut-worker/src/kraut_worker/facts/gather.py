"""All facts of a host in one round trip."""

from datetime import timedelta

from kraut_worker.facts.model import HostFacts
from kraut_worker.ports import Shell


async def gather_facts(shell: Shell, *, max_list_age: timedelta, timeout_seconds: float = 300) -> HostFacts:
    """Read every fact of a host with one script.

    kraut's own package lists on the host are fetched first when they are older than ``max_list_age`` (zero: always);
    the host's apt locks are never touched. ``timeout_seconds`` is, for all of it.

    Raises what ``Shell.run`` raises. An operating system without apt is a FactError (reason UnsupportedOperatingSystem)
    of ``packages`` and ``package_lists``; see ``require_supported``.
    """
    raise NotImplementedError


def require_supported(facts: HostFacts) -> None:
    """Raise UnsupportedHostError, with the id that os-release names, when kraut cannot update this host's packages."""
    raise NotImplementedError
