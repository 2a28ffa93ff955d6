"""The host operation protocol on real hosts: systemd, sudo, sshd (fault matrix: I3, I4, I12; rows 13, 15, 17)."""

import asyncio
import contextlib
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from kraut_core.errors import TransientError, UnknownOutcomeError, UnreachableError
from kraut_worker.operations.exit_codes import ExitCode
from kraut_worker.operations.protocol import OperationSpec, remove_all
from kraut_worker.operations.reboot import reboot
from kraut_worker.operations.starting import parse_start, start_script

pytestmark = pytest.mark.lab

COUNTED = "echo run >>/root/runs"
"""Leaves a line for each time it ran."""


@pytest.fixture(autouse=True)
def no_runs(host: Any) -> None:
    host.exec("rm -f /root/runs /root/go /root/printed; rm -rf /root/gate")


def runs(host: Any) -> int:
    return int(host.exec("cat /root/runs").count("run"))


WAITS = f"{COUNTED}\necho begun\nuntil [ -e /root/go ]; do sleep 0.05; done\necho over"


async def begun(host: Any, spec: OperationSpec) -> None:
    """Until the script itself runs, which is a moment after the start was answered."""
    async with asyncio.timeout(300):
        while (await host.poll(spec.id, wait_seconds=1)).chunk != b"begun\n":
            pass


async def test_it_runs_as_root_and_its_output_and_exit_code_are_kept(host: Any) -> None:
    spec = host.spec("id -u; echo problem >&2; exit 7")
    assert (await host.start(spec)).result == "Started"
    state, output = await host.finish(spec.id)
    assert (state.state, state.exit_code, output) == ("Done", 7, b"0\nproblem\n")
    assert state.boot_id == state.current_boot_id == host.real.boot_id


async def test_its_end_alone_is_waited_for_whatever_it_prints(host: Any) -> None:
    spec = host.spec("head -c 3000000 /dev/zero; touch /root/printed; until [ -e /root/go ]; do sleep 0.05; done")
    await host.start(spec)
    async with asyncio.timeout(300):
        while not host.exec("ls /root/printed"):
            await asyncio.sleep(0.1)
    state = await host.poll(spec.id, max_bytes=0, wait_seconds=3)
    assert (state.state, state.chunk, state.size) == ("Running", b"", 3_000_000)
    host.exec("touch /root/go")
    state = await host.poll(spec.id, max_bytes=0, wait_seconds=60)
    assert (state.state, state.exit_code, state.chunk) == ("Done", 0, b"")


async def test_starting_twice_runs_once(host: Any) -> None:
    spec = host.spec(WAITS)
    assert (await host.start(spec)).result == "Started"
    assert (await host.start(spec)).result == "AlreadyRunning"
    host.exec("touch /root/go")
    await host.finish(spec.id)
    assert (await host.start(spec)).result == "AlreadyDone"
    assert runs(host) == 1


async def test_starting_ten_times_at_once_runs_once(host: Any) -> None:
    spec = host.spec(COUNTED)
    outcomes = await asyncio.gather(*(host.start(spec) for _ in range(8)))
    assert sorted(outcome.result for outcome in outcomes).count("Started") == 1
    assert all(outcome.attachable for outcome in outcomes)
    await host.finish(spec.id)
    assert runs(host) == 1


async def test_a_unit_that_is_started_again_by_hand_does_nothing(host: Any) -> None:
    spec = host.spec(COUNTED)
    await host.start(spec)
    await host.finish(spec.id)
    host.exec(f"sh /var/lib/kraut/ops/{spec.id}/run")
    assert runs(host) == 1


async def test_one_at_a_time(host: Any) -> None:
    first, second = host.spec(WAITS), host.spec(COUNTED)
    await host.start(first)
    outcome = await host.start(second)
    assert (outcome.result, outcome.other_id) == ("Busy", first.id)
    host.exec("touch /root/go")
    await host.finish(first.id)
    assert (await host.start(second)).result == "Started"


async def test_a_smaller_fencing_token_is_refused(host: Any) -> None:
    for token in (5, 5, 7):
        spec = host.spec(COUNTED, fencing_token=token)
        assert (await host.start(spec)).result == "Started"
        await host.finish(spec.id)
    stale = await host.start(host.spec(COUNTED, fencing_token=6))
    assert (stale.result, stale.token) == ("RefusedToken", 7)
    assert runs(host) == 3


async def test_a_decision_of_another_boot_is_refused(host: Any) -> None:
    outcome = await host.start(host.spec(reboot(), type_="Reboot", boot_id=str(uuid.uuid4())))
    assert (outcome.result, outcome.boot_id) == ("RefusedBootID", host.real.boot_id)


async def test_an_id_nobody_started_is_absent(host: Any) -> None:
    state = await host.poll(str(uuid.uuid4()), wait_seconds=0)
    assert state.state == "Absent"


async def test_a_host_lock_held_by_another_is_an_exit_code(host: Any) -> None:
    host.exec("mkdir -p -m 0711 /var/lib/kraut && systemd-run -q --unit=holder flock /var/lib/kraut/lock sleep 300")
    spec = host.spec(COUNTED)
    await host.start(spec)
    state, _ = await host.finish(spec.id)
    host.exec("systemctl stop holder")
    assert (state.exit_code, runs(host)) == (75, 0)


@pytest.mark.fault(row=13, fault="SSH cut in mid output", invariants=("I12",))
async def test_every_byte_arrives_once_through_cuts(host: Any, cutting_proxy: Any) -> None:
    """Fault 13: the connection is cut again and again while the output is read."""
    spec = host.spec("for i in $(seq 1 20000); do echo line $i; done; sleep 1; printf '\\377\\000end'")
    await host.start(spec)
    proxy = cutting_proxy([("down", size) for size in (100, 2000, 3000, 5000, 9000, 20000, 50000)])
    async with host.through(proxy) as cut:
        output, offset, drained = b"", 0, False
        while not drained:
            with contextlib.suppress(TransientError):
                state = await cut.poll(spec.id, offset, max_bytes=30000, wait_seconds=5)
                output, offset, drained = output + state.chunk, state.offset, state.drained
    assert proxy.made == 7
    assert output == b"".join(b"line %d\n" % number for number in range(1, 20001)) + b"\xff\x00end"


CUTS = [("up", size) for size in range(1500, 12000, 750)] + [("down", size) for size in range(1500, 5000, 250)]


@pytest.mark.fault(row=13, fault="SSH cut before exec", invariants=("I3", "I12"))
@pytest.mark.fault(row=13, fault="SSH cut after exit before status", invariants=("I3", "I12"))
async def test_a_cut_anywhere_in_the_start_and_a_retry_run_once(host: Any, cutting_proxy: Any) -> None:
    """Fault 13: before exec, in the middle of the script, and after the work, before the answer."""
    outcomes: Counter[str] = Counter()
    for where in CUTS:
        spec = host.spec(COUNTED)
        async with host.through(cutting_proxy([where])) as cut:
            outcomes[await _try(cut, spec)] += 1
        await _retry(host, spec)
        await host.finish(spec.id)
    assert runs(host) == len(CUTS)
    # The sweep reaches both sides of the point where the work begins.
    assert outcomes["Unreachable"]
    assert outcomes["Unknown"]
    assert outcomes["Started"]


async def _try(host: Any, spec: OperationSpec) -> str:
    try:
        return str((await host.start(spec)).result)
    except UnknownOutcomeError:
        return "Unknown"
    except UnreachableError:
        return "Unreachable"


async def _retry(host: Any, spec: OperationSpec) -> None:
    assert (await host.start(spec)).attachable


QUEUED = """cat >/run/systemd/system/slow.service <<'END'
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'until [ -e /root/go ]; do sleep 0.1; done'
END
mkdir /run/systemd/system/kraut-.service.d
printf '[Unit]\\nWants=slow.service\\nAfter=slow.service\\n' >/run/systemd/system/kraut-.service.d/slow.conf
systemctl daemon-reload"""
"""From now on an operation's unit waits in systemd's queue, as behind a service that takes long to start."""

SERVED = "rm -r /run/systemd/system/kraut-.service.d /run/systemd/system/slow.service; systemctl daemon-reload"


@pytest.fixture
def queue(host: Any) -> Iterator[None]:
    """systemd's queue is long until /root/go exists."""
    host.real.exec(QUEUED)
    yield
    host.real.exec(SERVED)


@pytest.mark.usefixtures("queue")
async def test_a_start_that_was_given_up_runs_nothing_when_systemd_comes_to_it(host: Any) -> None:
    """The answer is final: the place in the budget goes to another host."""
    spec = host.spec(COUNTED)
    impatient = start_script(spec).replace("timeout 60 ", "timeout 10 ")
    outcome = parse_start(await host.call(lambda shell: shell.run(impatient, timeout_seconds=300)), spec)
    assert outcome.result == "CannotStart"
    assert "did not start it within" in outcome.message
    assert spec.id in host.exec("systemctl list-jobs")
    assert (await host.start(spec)).result != "Started"
    host.exec("touch /root/go")
    async with asyncio.timeout(300):
        while spec.id in host.exec("systemctl list-jobs; systemctl list-units --all"):
            await asyncio.sleep(0.1)
    assert runs(host) == 0
    assert (await host.poll(spec.id, wait_seconds=0)).state == "Absent"


async def test_an_operation_outlives_the_connection_that_started_it(host: Any) -> None:
    spec = host.spec(WAITS)
    await host.start(spec)
    await host.connector.close()
    host.exec("systemctl restart ssh; touch /root/go")
    state, output = await host.finish(spec.id)
    assert (state.state, output) == ("Done", b"begun\nover\n")


async def test_killed_without_a_result_is_lost_and_never_runs_again(host: Any) -> None:
    spec = host.spec(WAITS)
    await host.start(spec)
    await begun(host, spec)
    host.exec(f"systemctl kill --signal=KILL kraut-{spec.id}.service")
    state, _ = await host.finish(spec.id)
    assert state.state == "Lost"
    assert (await host.start(spec)).result == "AlreadyLost"
    assert runs(host) == 1


@pytest.mark.fault(row=16, fault="reboot in the middle of dpkg", invariants=("I3", "I12"))
async def test_a_power_cut_in_the_middle_is_rebooted_and_never_runs_again(host: Any) -> None:
    spec = host.spec(WAITS)
    await host.start(spec)
    await begun(host, spec)
    host.real.power_off()
    host.real.power_on()
    state, _ = await host.finish(spec.id)
    assert state.state == "Rebooted"
    assert state.boot_id == spec.boot_id != state.current_boot_id
    assert (await host.start(spec)).result == "AlreadyLost"
    assert runs(host) == 1


async def test_a_folder_without_a_claim_is_pending_and_can_be_started(host: Any) -> None:
    """A crash between the spec and the unit: nothing ran, so that it may."""
    spec = host.spec(COUNTED)
    await host.start(spec)
    await host.finish(spec.id)
    host.exec(f"cd /var/lib/kraut/ops/{spec.id} && rm -r claim result out /root/runs")
    state = await host.poll(spec.id, wait_seconds=0)
    assert state.state == "Pending"
    assert (await host.start(spec)).result == "Started"
    await host.finish(spec.id)
    assert runs(host) == 1


async def test_a_shutdown_lets_an_operation_finish(host: Any) -> None:
    spec = host.spec("echo begun; sleep 3; echo over >>/root/runs; echo over")
    await host.start(spec)
    await asyncio.to_thread(host.real.reboot)
    state, output = await host.finish(spec.id)
    assert (state.state, state.exit_code, output) == ("Done", 0, b"begun\nover\n")
    assert state.current_boot_id != state.boot_id


async def test_reboot(host: Any) -> None:
    before = host.real.boot_id
    spec = host.spec(reboot(), type_="Reboot")
    assert (await host.start(spec)).result == "Started"
    state = await _after_reboot(host, spec)
    assert (state.state, state.exit_code, state.boot_id) == ("Done", 0, before)
    again = await host.start(spec)
    assert again.result == "AlreadyDone"
    assert (await host.start(replace(spec, id=str(uuid.uuid4())))).result == "RefusedBootID"


async def test_a_reboot_that_systemd_refuses_is_said_and_changes_nothing(host: Any) -> None:
    before = host.real.boot_id
    host.real.exec("systemctl mask --runtime reboot.target")
    try:
        spec = host.spec(reboot(), type_="Reboot")
        await host.start(spec)
        state, _ = await host.finish(spec.id)
    finally:
        host.real.exec("systemctl unmask --runtime reboot.target")
    assert (state.state, state.exit_code) == ("Done", ExitCode.REBOOT_REFUSED)
    assert host.real.boot_id == before


FORGETFUL = """#!/bin/sh
/usr/bin/systemctl "$@"
status=$?
case $* in *reboot) exit 1 ;; esac
exit $status
"""


async def test_a_reboot_whose_acceptance_is_lost_was_not_refused(host: Any) -> None:
    host.real.exec(f"printf '%s' '{FORGETFUL}' >/usr/local/sbin/systemctl; chmod +x /usr/local/sbin/systemctl")
    try:
        spec = host.spec(reboot(), type_="Reboot")
        await host.start(spec)
        state = await _after_reboot(host, spec)
    finally:
        host.real.exec("rm /usr/local/sbin/systemctl")
    assert (state.state, state.exit_code) == ("Done", 0)


async def _after_reboot(host: Any, spec: OperationSpec) -> Any:
    async with asyncio.timeout(300):
        while True:
            with contextlib.suppress(TransientError):
                state = await host.poll(spec.id, wait_seconds=1)
                if state.current_boot_id != spec.boot_id:
                    return state
            await asyncio.sleep(0.2)


@pytest.mark.fault(row=17, fault="read-only file system", invariants=("I12",))
@pytest.mark.fault(row=17, fault="ENOSPC", invariants=("I12",))
async def test_a_read_only_or_full_state_folder_is_said(host: Any) -> None:
    host.exec("mkdir -p /var/lib/kraut && mount -t tmpfs -o ro none /var/lib/kraut")
    outcome = await host.start(host.spec(COUNTED))
    assert outcome.result == "CannotStart"
    assert "Read-only file system" in outcome.message
    host.exec("umount /var/lib/kraut; mount -t tmpfs -o size=4k none /var/lib/kraut; echo full >/var/lib/kraut/full")
    outcome = await host.start(host.spec(COUNTED))
    assert outcome.result == "CannotStart"
    assert "No space left on device" in outcome.message
    assert runs(host) == 0


@pytest.mark.fault(row=17, fault="ENOSPC", invariants=("I12",))
async def test_the_exit_code_is_kept_on_a_file_system_that_fills_up(host: Any) -> None:
    host.exec("mkdir -p /var/lib/kraut && mount -t tmpfs -o size=256k,mode=0711 none /var/lib/kraut")
    spec = host.spec("head -c 1048576 /dev/zero; exit 9")
    await host.start(spec)
    state, _ = await host.finish(spec.id)
    assert (state.state, state.exit_code) == ("Done", 9)


MIB = 1024 * 1024
LOUD = (
    f"yes 0123456789abcde 2>/dev/null | head -c {200 * MIB}; touch /root/printed; until [ -e /root/go ]; do sleep 0.05; done; "
    "echo the end; exit 9"
)


async def printed(host: Any, spec: OperationSpec, *, at_most: int) -> None:
    """Until an operation has printed everything, and its output takes no more than so many MiB of the disk."""
    async with asyncio.timeout(300):
        while not host.exec("ls /root/printed") or mib_on_disk(host, spec) > at_most:
            await asyncio.sleep(0.1)


def mib_on_disk(host: Any, spec: OperationSpec) -> int:
    return int(host.exec(f"du -m /var/lib/kraut/ops/{spec.id}/out").split()[0])


@pytest.mark.fault(row=17, fault="ENOSPC", invariants=("I12",))
async def test_what_an_operation_prints_does_not_fill_the_disk_and_its_end_is_kept(host: Any) -> None:
    spec = host.spec(LOUD)
    await host.start(spec)
    await printed(host, spec, at_most=65)
    host.exec("touch /root/go")
    state, output = await host.finish(spec.id, offset=200 * MIB - 160)
    assert (state.state, state.exit_code, state.size) == ("Done", 9, 200 * MIB + len("the end\n"))
    assert output == b"0123456789abcde\n" * 10 + b"the end\n"


@pytest.mark.fault(row=17, fault="ENOSPC", invariants=("I12",))
async def test_where_files_cannot_have_holes_the_output_is_begun_afresh(host: Any) -> None:
    host.real.exec("printf '#!/bin/sh\\nexit 1\\n' >/usr/local/sbin/fallocate; chmod +x /usr/local/sbin/fallocate")
    try:
        spec = host.spec(LOUD)
        await host.start(spec)
        await printed(host, spec, at_most=64)
        size = (await host.poll(spec.id, max_bytes=0, wait_seconds=0)).size
        host.exec("touch /root/go")
        state, output = await host.finish(spec.id, offset=size)
    finally:
        host.real.exec("rm /usr/local/sbin/fallocate")
    assert (state.state, state.exit_code, output) == ("Done", 9, b"the end\n")
    assert size <= 64 * MIB


async def test_twenty_folders_are_kept(host: Any) -> None:
    for _ in range(22):
        spec = host.spec("true")
        await host.start(spec)
        await host.finish(spec.id)
    kept = host.exec("ls /var/lib/kraut/ops").split()
    assert len(kept) == 20
    assert spec.id in kept


async def test_remove_all(host: Any) -> None:
    spec = host.spec(WAITS)
    await host.start(spec)
    assert await host.call(remove_all) == spec.id
    host.exec("touch /root/go")
    await host.finish(spec.id)
    assert await host.call(remove_all) == ""
    assert host.exec("ls -d /var/lib/kraut") == ""
    assert await host.call(remove_all) == ""
