"""Package updates on a real host with real apt and dpkg (fault matrix: rows 16 and 17; I6, I12)."""

import asyncio
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kraut_lab.apt.package import DebPackage, postinst_fails_while, postinst_waits_for
from kraut_lab.faults.packagelock import package_lock_held
from kraut_worker.facts.gather import gather_facts
from kraut_worker.facts.model import HostFacts
from kraut_worker.operations.apt import update_packages
from kraut_worker.operations.exit_codes import ExitCode
from kraut_worker.operations.reboot import reboot

pytestmark = pytest.mark.lab

NUMBERS = itertools.count(1)


@contextmanager
def newer_than_before(repository: Path) -> Iterator[None]:
    """HTTP dates count seconds: two publications within one look the same to apt's If-Modified-Since."""
    before = {release: int(release.stat().st_mtime) for release in repository.glob("*/dists/*/Release")}
    yield
    for release, moment in before.items():
        later = max(release.stat().st_mtime, moment + 1)
        os.utime(release, (later, later))


class Package:
    """A package of its own for one test: version 1 is installed, later ones are published when the test says so."""

    def __init__(self, lab: Any, host: Any, *, name: str = "", **options: Any) -> None:
        self.name = name or f"kraut-test-{next(NUMBERS)}"
        self._lab, self._host, self._options = lab, host, options
        self.published: list[DebPackage] = []
        self.publish("1")
        host.real.exec(f"apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q {self.name}")

    def publish(self, version: str, **options: Any) -> None:
        package = DebPackage(self.name, version, **{**self._options, **options})
        with newer_than_before(self._lab.apt_repository.root):
            self._lab.apt_repository.publish(package)
        self.published.append(package)

    @property
    def version(self) -> str:
        return str(self._host.exec(f"dpkg-query -W -f '${{Version}} ${{db:Status-Abbrev}}' {self.name}")).strip()

    def remove(self) -> None:
        with newer_than_before(self._lab.apt_repository.root):
            self._lab.apt_repository.withdraw(*self.published)
        self._host.exec(f"dpkg --purge --force-all {self.name}; dpkg --configure -a")


@pytest.fixture
def package(lab: Any, host: Any) -> Iterator[Any]:
    made: list[Package] = []

    def make(**options: Any) -> Package:
        made.append(Package(lab, host, **options))
        return made[-1]

    host.exec("rm -f /root/fail /root/go /run/reboot-required*")
    yield make
    for one in made:
        one.remove()


async def update(host: Any, script: str) -> tuple[int, str]:
    spec = host.spec(script)
    outcome = await host.start(spec)
    assert outcome.result == "Started", outcome
    state, output = await host.finish(spec.id)
    return state.exit_code, output.decode()


async def facts_of(host: Any) -> HostFacts:
    async with host.connector.connect(host.target) as shell:
        return await gather_facts(shell, max_list_age=timedelta(0))


async def pending(host: Any) -> dict[str, bool]:
    """The pending updates of the tests' own packages, and whether each is for security."""
    packages: Any = (await facts_of(host)).packages
    return {update.name: update.security for update in packages.pending if update.name.startswith("kraut-test-")}


async def test_security_installs_the_security_archive_only(host: Any, package: Any) -> None:
    plain, secure = package(), package(security=True)
    plain.publish("2")
    secure.publish("2")
    assert await pending(host) == {plain.name: False, secure.name: True}
    assert (await update(host, update_packages("Security")))[0] == 0
    assert (plain.version, secure.version) == ("1 ii", "2 ii")
    assert await pending(host) == {plain.name: False}


async def test_what_was_installed_within_a_second_is_not_pending_any_more(host: Any, package: Any) -> None:
    """apt's pkgcache.bin counts as current while the size and the second of dpkg's status stay the same."""
    quick = package()
    quick.publish("2")
    host.exec("touch -d '2026-01-01 00:00:00' /var/lib/dpkg/status")
    assert await pending(host) == {quick.name: False}
    host.exec(f"apt-get update -q; apt-get install -y -q {quick.name}")
    assert quick.version == "2 ii"
    host.exec("touch -d '2026-01-01 00:00:00' /var/lib/dpkg/status")
    assert await pending(host) == {}


async def test_a_look_leaves_the_log_of_the_last_installation(host: Any, package: Any) -> None:
    """apt's planner writes /var/log/apt/eipp.log.xz anew for every simulation too, over what a person may want to read."""
    plain = package()
    host.exec("echo of the last installation >/var/log/apt/eipp.log.xz")
    plain.publish("2")
    assert await pending(host) == {plain.name: False}
    assert host.exec("cat /var/log/apt/eipp.log.xz") == "of the last installation\n"
    assert (await update(host, update_packages("All")))[0] == 0
    assert host.exec("/usr/lib/apt/apt-helper cat-file /var/log/apt/eipp.log.xz | grep -c ^Request:") == "1\n"


async def test_an_operation_sees_what_was_installed_within_a_second(host: Any, package: Any) -> None:
    """As above, for the cache of the host's own apt: nothing is left out because an old one says that it is there."""
    quick = package()
    quick.publish("2")
    host.exec(f"apt-get update -q; apt-get install -y -q {quick.name}")
    host.exec("touch -d '2026-01-01 00:00:00' /var/lib/dpkg/status; apt-get check -q")
    host.exec(f"apt-get install -y -q --allow-downgrades {quick.name}=1")
    host.exec("touch -d '2026-01-01 00:00:00' /var/lib/dpkg/status")
    script = update_packages("All").replace(
        "step refresh", "step refresh; touch -d '2026-01-01 00:00:00' /var/lib/dpkg/status"
    )
    assert (await update(host, script))[0] == 0
    assert quick.version == "2 ii"


async def test_a_security_update_hidden_by_a_newer_one_is_seen_and_installed(host: Any, package: Any) -> None:
    """A point release has brought a newer version: the security archive's is still the one that is wanted."""
    hidden = package()
    hidden.publish("2", security=True)
    hidden.publish("3")
    assert await pending(host) == {hidden.name: True}
    assert (await update(host, update_packages("Security")))[0] == 0
    assert hidden.version == "2 ii"
    assert await pending(host) == {hidden.name: False}
    assert (await update(host, update_packages("All")))[0] == 0
    assert hidden.version == "3 ii"


async def test_all_installs_everything_but_what_is_held(host: Any, package: Any) -> None:
    plain, held = package(), package()
    plain.publish("2")
    held.publish("2")
    host.real.exec(f"apt-mark hold {held.name}")
    packages: Any = (await facts_of(host)).packages
    assert held.name in packages.held
    assert (await update(host, update_packages("All")))[0] == 0
    assert (plain.version, held.version) == ("2 ii", "1 hi")


async def test_a_changed_configuration_file_is_kept_and_an_unchanged_one_replaced(host: Any, package: Any) -> None:
    files = {"/etc/kraut-test/changed": "1\n", "/etc/kraut-test/unchanged": "1\n"}
    configured = package(conffiles=files)
    host.real.exec("echo mine >/etc/kraut-test/changed")
    configured.publish("2", conffiles=dict.fromkeys(files, "2\n"))
    assert (await update(host, update_packages("All")))[0] == 0
    assert host.exec("cat /etc/kraut-test/changed /etc/kraut-test/unchanged") == "mine\n2\n"


async def test_a_new_dependency_is_installed_with_the_update(lab: Any, host: Any, package: Any) -> None:
    needed = package()
    host.real.exec(f"dpkg --purge {needed.name}")
    needing = package()
    needing.publish("2", depends=needed.name)
    assert (await update(host, update_packages("All")))[0] == 0
    assert (needing.version, needed.version) == ("2 ii", "1 ii")


async def test_reboot_required_is_seen(host: Any, package: Any) -> None:
    asking = package()
    asking.publish("2", requires_reboot=True)
    await update(host, update_packages("All"))
    facts: Any = await facts_of(host)
    assert facts.reboot_required.required
    assert facts.reboot_required.packages == (asking.name,)


@pytest.mark.fault(row=17, fault="broken dpkg", invariants=("I12",))
async def test_a_package_that_fails_is_said_and_heals_with_the_next_run(host: Any, package: Any) -> None:
    failing = package()
    host.real.exec("touch /root/fail")
    failing.publish("2", postinst=postinst_fails_while("/root/fail"))
    code, output = await update(host, update_packages("All"))
    assert code == ExitCode.PACKAGE_FAILED
    assert failing.name in output
    facts: Any = await facts_of(host)
    assert facts.packages.broken == (failing.name,)
    host.real.exec("rm /root/fail")
    code, output = await update(host, update_packages("All"))
    assert (code, failing.version) == (0, "2 ii"), output
    assert "== repair" in output


HARMLESS_WORDS = """cat <<'END'
debconf: DbDriver "config": /var/cache/debconf/config.dat is locked by another process
E: Could not get lock /var/lib/dpkg/lock-frontend
dpkg: error: dpkg frontend lock was locked by another process with pid 1
E: Read-only file system
E: Failed to fetch http://example.com/x
END
"""


@pytest.mark.fault(row=17, fault="broken dpkg", invariants=("I6", "I12"))
async def test_whatever_a_failing_package_says_it_is_no_harmless_end(host: Any, package: Any) -> None:
    """Else the place in the budget is given back, and the next host follows into the same hole."""
    failing = package()
    host.real.exec("touch /root/fail")
    failing.publish("2", postinst=HARMLESS_WORDS + postinst_fails_while("/root/fail"))
    assert (await update(host, update_packages("All")))[0] == ExitCode.PACKAGE_FAILED
    code, output = await update(host, update_packages("All"))
    assert code == ExitCode.REPAIR_FAILED, output


@pytest.mark.fault(row=18, fault="1 GiB on stdout", invariants=("I12",))
async def test_a_package_that_prints_a_gibibyte_fills_no_disk_and_its_end_is_known(host: Any, package: Any) -> None:
    loud = package()
    host.real.exec("touch /root/fail")
    loud.publish("2", postinst=f"yes kraut-lab | head -c 1073741824\n{postinst_fails_while('/root/fail')}")
    spec = host.spec(update_packages("All"))
    await host.start(spec)
    async with asyncio.timeout(500):
        while not (state := await host.poll(spec.id, max_bytes=0)).ended:
            pass
    assert (state.state, state.exit_code) == ("Done", ExitCode.PACKAGE_FAILED)
    assert state.size > 1 << 30
    assert int(host.exec(f"du -m /var/lib/kraut/ops/{spec.id}/out").split()[0]) <= 65
    _, end = await host.finish(spec.id, offset=state.size - 4096)
    assert f"dpkg: error processing package {loud.name}".encode() in end


@pytest.mark.fault(row=16, fault="reboot in the middle of dpkg", invariants=("I12",))
async def test_a_power_cut_in_the_middle_of_dpkg_is_repaired(host: Any, package: Any) -> None:
    """Fault 16."""
    cut = package()
    cut.publish("2", postinst=postinst_waits_for("/root/go"))
    spec = host.spec(update_packages("All"))
    await host.start(spec)
    async with asyncio.timeout(300):
        while " iF" not in cut.version:
            await asyncio.sleep(0.1)
    host.exec("sync")
    host.real.power_off()
    host.real.power_on()
    state, _ = await host.finish(spec.id)
    assert state.state == "Rebooted"
    facts: Any = await facts_of(host)
    assert cut.name in facts.packages.broken
    host.real.exec("touch /root/go")
    code, output = await update(host, update_packages("All"))
    assert (code, cut.version) == (0, "2 ii")
    assert "== repair" in output


@pytest.mark.fault(row=17, fault="apt lock held", invariants=("I12",))
@pytest.mark.parametrize("path", ["/var/lib/apt/lists/lock", "/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"])
async def test_a_lock_that_is_held_is_waited_for_and_then_said(host: Any, package: Any, path: str) -> None:
    waiting = package()
    waiting.publish("2")
    with package_lock_held(host.real, path):
        code, output = await update(host, update_packages("All", lock_seconds=1))
        facts: Any = await facts_of(host)
    assert (code, waiting.version) == (ExitCode.LOCK_TIMEOUT, "1 ii"), output
    # Looking never waits for the host's locks.
    assert facts.package_lists.problem is None
    assert (await update(host, update_packages("All", lock_seconds=1)))[0] == 0
    assert waiting.version == "2 ii"


@pytest.mark.fault(row=16, fault="reboot in the middle of dpkg", invariants=("I12",))
@pytest.mark.parametrize("path", ["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"])
async def test_a_host_that_is_installing_packages_is_not_rebooted(host: Any, path: str) -> None:
    """Its own unattended-upgrades takes the lock between the decision and the reboot."""
    before = host.real.boot_id
    with package_lock_held(host.real, path):
        code, output = await update(host, reboot())
    assert (code, host.real.boot_id) == (ExitCode.PACKAGES_IN_TRANSITION, before), output
    assert "systemd accepted" not in output


@pytest.mark.fault(row=17, fault="broken dpkg", invariants=("I12",))
async def test_a_host_whose_packages_are_half_installed_is_not_rebooted(host: Any, package: Any) -> None:
    before = host.real.boot_id
    failing = package()
    host.real.exec("touch /root/fail")
    failing.publish("2", postinst=postinst_fails_while("/root/fail"))
    await update(host, update_packages("All"))
    code, output = await update(host, reboot())
    assert (code, host.real.boot_id) == (ExitCode.PACKAGES_IN_TRANSITION, before), output


@pytest.mark.fault(row=17, fault="apt lock held", invariants=("I12",))
@pytest.mark.parametrize("path", ["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"])
async def test_a_repair_waits_for_the_lock_too(host: Any, package: Any, path: str) -> None:
    """While another program installs, its packages look as if they had been left half installed."""
    half = package()
    host.real.exec("touch /root/fail")
    half.publish("2", postinst=postinst_fails_while("/root/fail"))
    await update(host, update_packages("All"))
    host.real.exec("rm /root/fail")
    with package_lock_held(host.real, path):
        code, output = await update(host, update_packages("All", lock_seconds=1))
    assert code == ExitCode.LOCK_TIMEOUT, output
    assert (await update(host, update_packages("All")))[0] == 0
    assert half.version == "2 ii"


async def test_a_repository_that_is_down_is_said_and_older_lists_are_used(lab: Any, host: Any, package: Any) -> None:
    waiting = package()
    waiting.publish("2")
    assert await pending(host) == {waiting.name: False}
    lab.apt_repository.stop()
    try:
        code, _ = await update(host, update_packages("All"))
        facts: Any = await facts_of(host)
    finally:
        lab.apt_repository.start(lab.gateway)
    assert code == ExitCode.REPOSITORY_UNREACHABLE
    assert facts.package_lists.problem.reason == "RepositoryUnreachable"
    assert waiting.name in {update.name for update in facts.packages.pending}


@pytest.mark.fault(row=17, fault="ENOSPC", invariants=("I12",))
async def test_a_full_archive_folder_changes_nothing(host: Any, package: Any) -> None:
    waiting = package()
    waiting.publish("2")
    host.real.exec("mount -t tmpfs -o size=64k none /var/cache/apt")
    try:
        code, _ = await update(host, update_packages("All"))
    finally:
        host.real.exec("umount /var/cache/apt")
    assert (code, waiting.version) == (ExitCode.NO_ROOM, "1 ii")


async def test_what_was_installed_does_not_stay_in_the_archive_folder(host: Any, package: Any) -> None:
    for mode in ("All", "Security"):
        one = package(security=True)
        one.publish("2")
        host.real.exec("apt-get clean")
        assert (await update(host, update_packages(mode)))[0] == 0
        assert one.version == "2 ii"
        assert host.exec("ls /var/cache/apt/archives/*.deb") == ""


@pytest.mark.fault(row=17, fault="ENOSPC", invariants=("I12",))
@pytest.mark.parametrize("mode", ["All", "Security"])
async def test_a_kernel_that_boot_has_no_room_for_changes_nothing(host: Any, package: Any, mode: Any) -> None:
    """What /boot has for one: room for the largest file that is there twice, that is its initial RAM disk, and some more."""
    other, kernel = package(security=True), package(name="linux-image-kraut-test", security=True)
    host.real.exec("mount -t tmpfs -o size=70m none /boot; head -c 20000000 /dev/zero >/boot/initrd.img-1")
    try:
        other.publish("2")
        assert (await update(host, update_packages(mode)))[0] == 0
        other.publish("3")
        kernel.publish("2")
        code, output = await update(host, update_packages(mode))
        assert (code, kernel.version, other.version) == (ExitCode.NO_ROOM, "1 ii", "2 ii"), output
        assert "/boot has 50 MiB free" in output
        host.real.exec("mount -o remount,size=120m /boot")
        assert (await update(host, update_packages(mode)))[0] == 0
    finally:
        host.real.exec("umount /boot")
    assert (kernel.version, other.version) == ("2 ii", "3 ii")


@pytest.mark.fault(row=17, fault="ENOSPC", invariants=("I12",))
async def test_a_file_system_that_fills_up_under_dpkg_is_no_space_and_heals(host: Any, package: Any) -> None:
    growing = package(conffiles={"/opt/kraut-test/big": "small\n"})
    host.real.exec(
        "mkdir -p /opt/kraut-test; mount -t tmpfs -o size=16k none /opt/kraut-test; echo small >/opt/kraut-test/big"
    )
    growing.publish("2", conffiles={"/opt/kraut-test/big": "x" * 65536})
    try:
        code, output = await update(host, update_packages("All"))
    finally:
        host.real.exec("umount /opt/kraut-test")
    assert code == ExitCode.NO_SPACE, output
    assert (await update(host, update_packages("All")))[0] == 0
    assert growing.version == "2 ii"


@pytest.mark.fault(row=17, fault="read-only file system", invariants=("I12",))
async def test_a_read_only_file_system_changes_nothing(host: Any, package: Any) -> None:
    waiting = package()
    waiting.publish("2")
    host.real.exec("mount --bind /usr /usr && mount -o remount,ro,bind /usr")
    try:
        code, _ = await update(host, update_packages("All"))
    finally:
        host.real.exec("umount --lazy /usr")
    assert (code, waiting.version) == (ExitCode.READ_ONLY, "1 ii")


async def test_an_update_that_apt_cannot_resolve_is_left_and_removes_nothing(host: Any, package: Any) -> None:
    waiting, other = package(), package()
    waiting.publish("2", depends="kraut-test-nowhere")
    other.publish("2")
    assert await pending(host) == {other.name: False}
    assert (await update(host, update_packages("All")))[0] == 0
    assert (waiting.version, other.version) == ("1 ii", "2 ii")
