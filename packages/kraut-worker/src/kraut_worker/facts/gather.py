"""All facts of a host in one round trip."""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypeVar

from kraut_core.errors import UnsupportedHostError
from kraut_worker.facts.capacity import CAPACITY
from kraut_worker.facts.cluster_node import CLUSTER_NODE
from kraut_worker.facts.fact import Answer, Fact, FactProblem
from kraut_worker.facts.machine import MACHINE
from kraut_worker.facts.model import FactError, HostFacts
from kraut_worker.facts.operations import OPERATIONS
from kraut_worker.facts.os_release import OS_RELEASE
from kraut_worker.facts.package_lists import PACKAGE_LISTS, package_lists
from kraut_worker.facts.packages import PACKAGES
from kraut_worker.facts.reboot_required import REBOOT_REQUIRED
from kraut_worker.facts.sections import join_commands, split_answers
from kraut_worker.facts.system_state import SYSTEM_STATE
from kraut_worker.ports import Shell

T = TypeVar("T")

MAX_OUTPUT_BYTES = 4 << 20
"""A simulation of 10,000 updates is about 1 MiB, and there are two."""


def all_facts(max_list_age: timedelta) -> tuple[Fact[Any], ...]:
    """Every fact of HostFacts, in the order in which they are read.

    Operations come before what they change: one that ends in between is still running for this look, and the next sees both.
    The lists come before the packages that are computed from them.
    """
    lists = package_lists(int(max_list_age.total_seconds()))
    return (OS_RELEASE, MACHINE, SYSTEM_STATE, CAPACITY, CLUSTER_NODE, OPERATIONS, REBOOT_REQUIRED, lists, PACKAGES)


async def gather_facts(shell: Shell, *, max_list_age: timedelta, timeout_seconds: float = 300) -> HostFacts:
    """Read every fact of a host with one script.

    kraut's own package lists on the host are fetched first when they are older than ``max_list_age`` (zero: always);
    the host's apt locks are never touched. ``timeout_seconds`` is for all of it.

    Raises what ``Shell.run`` raises. An operating system without apt is a FactError (reason UnsupportedOperatingSystem)
    of ``packages`` and ``package_lists``; see ``require_supported``.
    """
    facts = all_facts(max_list_age)
    marker = secrets.token_hex(16)
    result = await shell.run(join_commands(facts, marker), timeout_seconds=timeout_seconds, max_output=MAX_OUTPUT_BYTES)
    answers = split_answers(result.stdout, result.stderr, marker)
    return HostFacts(
        os_release=_read(OS_RELEASE, answers),
        machine=_read(MACHINE, answers),
        system_state=_read(SYSTEM_STATE, answers),
        capacity=_read(CAPACITY, answers),
        reboot_required=_read(REBOOT_REQUIRED, answers),
        package_lists=_read(PACKAGE_LISTS, answers),
        packages=_read(PACKAGES, answers),
        cluster_node=_read(CLUSTER_NODE, answers),
        operations=_read(OPERATIONS, answers),
    )


def _read(fact: Fact[T], answers: Mapping[str, Answer]) -> T | FactError:
    answer = answers.get(fact.name)
    if answer is None:
        return FactError(fact.name, "OutputIncomplete", f"the answer for {fact.name} is missing or was cut")
    try:
        return fact.parse(answer)
    except FactProblem as problem:
        return FactError(fact.name, problem.reason, problem.message)
    except ValueError as error:
        return FactError(fact.name, "CommandFailed", f"the answer for {fact.name} makes no sense: {error}")


def require_supported(facts: HostFacts) -> None:
    """Raise UnsupportedHostError, with the id that os-release names, when kraut cannot update this host's packages."""
    packages = facts.packages
    if not isinstance(packages, FactError) or packages.reason != "UnsupportedOperatingSystem":
        return
    release = facts.os_release
    found = "an unknown one" if isinstance(release, FactError) else f"{release.id!r} ({release.pretty_name})"
    raise UnsupportedHostError(
        f"expected an operating system with apt (Debian, Ubuntu or a derivative), found {found}: "
        "kraut observes this host, and cannot install updates on it"
    )
