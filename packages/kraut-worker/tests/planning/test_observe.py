"""From facts to what decisions look at: what is missing is missing, never guessed."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kraut_core.errors import UnknownOutcomeError
from kraut_worker.facts.model import (
    Capacity,
    ClusterNode,
    FactError,
    HostFacts,
    Machine,
    Operations,
    OsRelease,
    PackageLists,
    Packages,
    PendingUpdate,
    RebootRequired,
    SystemState,
)
from kraut_worker.planning.observe import SHOWN, observe
from kraut_worker.testing.scenes import KEY, on_host

REFRESHED = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
FACTS = HostFacts(
    os_release=OsRelease(
        id="debian", version_id="12", codename="bookworm", pretty_name="Debian GNU/Linux 12 (bookworm)"
    ),
    machine=Machine(
        machine_id="m-1",
        boot_id="boot-1",
        system_uuid="s-1",
        kernel_version="6.1.0-30-amd64",
        architecture="amd64",
        uptime_seconds=3600,
    ),
    system_state=SystemState(starting=False, writable=True),
    capacity=Capacity(cpu=2, memory_bytes=1 << 30, disk_bytes=1 << 33),
    reboot_required=RebootRequired(required=True, packages=("linux-image-amd64",)),
    package_lists=PackageLists(refreshed_at=REFRESHED),
    packages=Packages(
        pending=(
            PendingUpdate("curl", "1", "2", ("Debian-Security:12/stable-security",), security=True),
            PendingUpdate("vim", "1", "2", ("Debian:12.9/stable",), security=False),
        ),
        held=("postgresql-15",),
    ),
    cluster_node=ClusterNode(),
    operations=Operations(newest=(on_host(id_="a"), on_host("Lost", id_="b")), fencing_token=7),
)


def error(fact, reason="CommandFailed"):
    return FactError(fact, reason, "it ended with exit status 1")


def test_all_facts_are_seen():
    seen = observe(FACTS, KEY)
    assert (seen.info.machine_id, seen.info.boot_id, seen.info.system_uuid) == ("m-1", "boot-1", "s-1")
    assert (seen.info.kernel_version, seen.info.architecture) == ("6.1.0-30-amd64", "amd64")
    assert (seen.info.os_id, seen.info.os_version, seen.info.os_codename) == ("debian", "12", "bookworm")
    assert seen.info.os_image == "Debian GNU/Linux 12 (bookworm)"
    assert (seen.capacity.cpu, seen.capacity.memory_bytes, seen.capacity.disk_bytes) == (2, 1 << 30, 1 << 33)
    assert (seen.packages.pending, seen.packages.security, seen.packages.broken) == (2, 1, False)
    assert (seen.packages.held, seen.packages.lists_refreshed_at) == (["postgresql-15"], REFRESHED)
    assert (seen.reboot_required, seen.reboot_required_by) == (True, ("linux-image-amd64",))
    assert (seen.cluster_node, seen.uptime_seconds, seen.host_key) == ("", 3600, KEY)
    assert (set(seen.operations), seen.fencing_token) == ({"a", "b"}, 7)
    assert seen.package_problem is None


@pytest.mark.parametrize("fact", ["machine", "system_state", "operations", "cluster_node", "reboot_required"])
def test_without_what_decisions_rest_on_nothing_is_decided(fact):
    with pytest.raises(UnknownOutcomeError) as raised:
        observe(replace(FACTS, **{fact: error(fact)}), KEY)
    assert (raised.value.reason, raised.value.permanent) == ("CommandFailed", False)
    assert fact in raised.value.message


@pytest.mark.parametrize(("starting", "writable"), [(True, True), (False, False)])
def test_a_boot_that_is_not_over_and_a_read_only_file_system_are_seen(starting, writable):
    seen = observe(replace(FACTS, system_state=SystemState(starting=starting, writable=writable)), KEY)
    assert (seen.starting, seen.read_only) == (starting, not writable)


def test_a_host_without_a_readable_capacity_has_none():
    assert observe(replace(FACTS, capacity=error("capacity")), KEY).capacity is None


def test_a_host_without_a_readable_os_release_has_no_system():
    assert observe(replace(FACTS, os_release=error("os_release")), KEY).info.os_id == ""


def test_a_broken_package_database_is_seen():
    assert observe(replace(FACTS, packages=Packages(broken=("curl",))), KEY).packages.broken


PROBLEMS = [
    ("apt failed -> no packages, heals", {"packages": error("packages")}, False, ("CommandFailed", False)),
    (
        "no apt -> no packages, does not heal",
        {"packages": error("packages", "UnsupportedOperatingSystem")},
        False,
        ("UnsupportedOperatingSystem", True),
    ),
    (
        "a repository is down -> older packages, heals",
        {"package_lists": PackageLists(REFRESHED, problem=error("package_lists", "RepositoryUnreachable"))},
        True,
        ("RepositoryUnreachable", False),
    ),
    (
        "the lists could not be asked for -> packages as they are, heals",
        {"package_lists": error("package_lists")},
        True,
        ("CommandFailed", False),
    ),
]


@pytest.mark.parametrize(
    ("facts", "packages", "problem"), [case[1:] for case in PROBLEMS], ids=[case[0] for case in PROBLEMS]
)
def test_package_problems(facts, packages, problem):
    seen = observe(replace(FACTS, **facts), KEY)
    assert (seen.packages is not None) == packages
    assert (seen.package_problem.reason, seen.package_problem.permanent) == problem


def test_lists_of_names_are_bounded():
    many = tuple(f"package-{number}" for number in range(200))
    facts = replace(
        FACTS,
        reboot_required=RebootRequired(required=True, packages=many),
        packages=Packages(held=many),
        cluster_node=ClusterNode(evidence=many),
    )
    seen = observe(facts, KEY)
    assert len(seen.reboot_required_by) == len(seen.packages.held) == SHOWN
    assert seen.cluster_node == "package-0, package-1, package-2"
